import { orAborted } from "../../async/or-aborted.ts";

const blockBytes = 4 * 1024 * 1024;

/** How many blocks are fetched, or held, before they are asked for. */
const blocksAhead = 4;

/** Fetches the bytes of an object from `start` up to `end`, until `signal` aborts. */
export type FetchBytes = (start: number, end: number, signal: AbortSignal) => Promise<Buffer>;

/** An object that is read in pieces, mostly one after the other. */
export interface ReadAhead {
  /** Reads from `start` up to `end` into memory of the caller's own. */
  read(start: number, end: number, signal?: AbortSignal): Promise<Buffer>;
  /** Stops all fetches. */
  close(): void;
}

/**
 * Reads an object in large blocks, before its pieces are asked for: that takes fewer requests, and no
 * piece waits for its own. Reading ahead begins with a read of the very start, ends where reads before
 * that began, and goes on while reads go forward. Any other read is a request of its own.
 */
export function createReadAhead(bytes: number, fetch: FetchBytes): ReadAhead {
  const closed = new AbortController();
  const blocks = new Map<number, Promise<Buffer>>();
  let limit = bytes;
  let begun = false;
  let next = 0;

  const fetchDirectly = (start: number, end: number, signal: AbortSignal | undefined) =>
    fetch(start, end, signal ? AbortSignal.any([signal, closed.signal]) : closed.signal);
  const fetchUpTo = (last: number) => {
    for (; next <= last && next * blockBytes < limit; next++) {
      const start = next * blockBytes;
      const block = fetch(start, Math.min(start + blockBytes, limit), closed.signal);
      block.catch(() => {});
      blocks.set(next, block);
    }
  };

  return {
    async read(start, end, signal) {
      begun ||= start === 0;
      if (!begun) limit = Math.min(limit, start);
      const first = Math.floor(start / blockBytes);
      const last = Math.floor((end - 1) / blockBytes);
      // Reads under way hold the promises of their blocks, and later reads start behind them.
      for (const n of blocks.keys()) if (n < first) blocks.delete(n);
      const isForward = next <= first || blocks.has(first);
      if (!begun || !isForward || end > limit || last - first >= blocksAhead)
        return fetchDirectly(start, end, signal);
      next = Math.max(next, first);
      fetchUpTo(first + blocksAhead);
      const wanted = [];
      for (let n = first; n <= last; n++) wanted.push(blocks.get(n) as Promise<Buffer>);
      const buffer = Buffer.allocUnsafeSlow(end - start);
      for (const [n, block] of (await orAborted(Promise.all(wanted), signal)).entries())
        block.copy(
          buffer,
          Math.max(0, (first + n) * blockBytes - start),
          n === 0 ? start - first * blockBytes : 0,
        );
      return buffer;
    },
    close() {
      closed.abort();
      blocks.clear();
    },
  };
}
