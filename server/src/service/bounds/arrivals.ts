import { CacheError } from "../../domain/cache-error.ts";

/** How long a request may take to come whole. */
const requestMs = 10_000;
/** How many may be coming, of all connections: a stream holds up to 64 KiB of one that is not whole. */
const mostAtOnce = 1024;

/** A request that is coming. */
export interface Arrival {
  /** It came, or will never come. */
  end(): void;
}

/** Requests whose headers came, and whose messages did not yet. */
export interface Arrivals {
  /** Waits for one. `refuse` is called with a CacheError when it takes too long, or too many come. */
  begin(refuse: (error: CacheError) => void): Arrival;
}

/** Where too many come at once, the one gives way that has been coming for longest; each may take `mostMs`. */
export function createArrivals(mostMs = requestMs): Arrivals {
  const giveUps = new Set<(why: string) => void>();
  return {
    begin(refuse) {
      const end = () => {
        clearTimeout(timer);
        giveUps.delete(giveUp);
      };
      const giveUp = (why: string) => {
        end();
        refuse(new CacheError("OVERLOADED", why));
      };
      const late = `the request did not come whole within ${mostMs / 1000} s`;
      const timer = setTimeout(giveUp, mostMs, late).unref();
      giveUps.add(giveUp);
      const [longest] = giveUps;
      if (giveUps.size > mostAtOnce)
        longest?.(
          `more than ${mostAtOnce} requests are coming, and this one is the oldest of them`,
        );
      return { end };
    },
  };
}
