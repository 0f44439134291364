import { orAborted } from "../../async/or-aborted.ts";

const blockBytes = 4 * 1024 * 1024;

/** Blocks that are fetched, or held, before anybody asked for them. */
const blocksAhead = 4;

/** Fetches the bytes of an object from `start` up to `end`, until `signal` aborts. */
export type FetchBytes = (start: number, end: number, signal: AbortSignal) => Promise<Buffer>;

/** An object that is read in pieces, mostly one after the other. */
export interface ReadAhead {
  /** Reads from `start` up to `end` into memory of the caller's own. */
  read(start: number, end: number, signal?: AbortSignal): Promise<Buffer>;
  /** Stops what was fetched ahead. */
  close(): void;
}

/**
 * Reads an object in large blocks, ahead of those who ask for its pieces: that takes fewer requests
 * than pieces, and spares the wait for each. It begins with a read from the very start, leaves out the
 * end that was read before, and holds on as long as the reads go forward. All others are fetched as
 * they are asked for.
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
      // Whoever reads a block still has its promise; nobody will ask for it again.
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
