/** How many processes of users there may be: of one user, and in all. */
const mostOfUser = 4;
const mostInAll = 16;

/** Places for processes of users. */
export interface UserPlaces {
  /**
   * Waits for a place, behind all that wait for one of the same user; whoever holds many leaves others
   * theirs. Returns how to leave it, once. Throws the reason of `signal`.
   */
  take(uid: number, signal: AbortSignal): Promise<() => void>;
}

interface Waiter {
  readonly uid: number;
  readonly enter: () => void;
}

export function createUserPlaces(): UserPlaces {
  const held = new Map<number, number>();
  const waiting = new Set<Waiter>();
  let inAll = 0;
  const countOf = (uid: number) => held.get(uid) ?? 0;
  const fits = (uid: number) => inAll < mostInAll && countOf(uid) < mostOfUser;
  const enter = (uid: number) => {
    inAll += 1;
    held.set(uid, countOf(uid) + 1);
  };
  const leave = (uid: number) => {
    inAll -= 1;
    if (countOf(uid) > 1) held.set(uid, countOf(uid) - 1);
    else held.delete(uid);
    for (const waiter of waiting) {
      if (!fits(waiter.uid)) continue;
      waiting.delete(waiter);
      enter(waiter.uid);
      waiter.enter();
      return;
    }
  };
  return {
    async take(uid, signal) {
      signal.throwIfAborted();
      if (fits(uid)) enter(uid);
      else await turn(uid, waiting, signal);
      let left = false;
      return () => {
        if (!left) leave(uid);
        left = true;
      };
    },
  };
}

function turn(uid: number, waiting: Set<Waiter>, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const waiter = { uid, enter: resolve };
  waiting.add(waiter);
  const onAbort = () => {
    if (waiting.delete(waiter)) reject(signal.reason);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}
