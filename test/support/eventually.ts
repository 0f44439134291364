import { setTimeout as sleep } from "node:timers/promises";

/**
 * How long a test waits for what comes in milliseconds on a quiet machine. It measures nothing: it only
 * keeps a test whose condition never comes from waiting for ever.
 */
export const patienceMs = 120_000;

const lookAgainMs = 5;

/**
 * Looks again and again until there is something: until `look` gives what is neither undefined, null nor
 * false. Returns that. Throws, naming `what` was waited for, once the patience is at an end.
 */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
): Promise<Exclude<T, undefined | null | false>> {
  for (const giveUpAt = performance.now() + patienceMs; ; await sleep(lookAgainMs)) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false)
      return found as Exclude<T, undefined | null | false>;
    if (performance.now() > giveUpAt) throw new Error(`waited in vain: ${what}`);
  }
}

/** What a promise gives. Throws, naming `what` did not end, if it is still pending after all patience. */
export async function ends<T>(what: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`did not end: ${what}`)), patienceMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
