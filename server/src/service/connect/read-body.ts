import type { IncomingMessage } from "node:http";
import { CacheError } from "../../domain/cache-error.ts";

/** What gRPC's callers may send: a request is some paths and an environment. */
const mostBytes = 32 * 1024;

/** The body of a request. Throws OVERLOADED where it is too long, as soon as that shows. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const tooLong = () => new CacheError("OVERLOADED", `a request may have ${mostBytes} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > mostBytes) throw tooLong();
  try {
    // Left open where it is given up: an answer is to follow.
    for await (const piece of request.iterator({ destroyOnReturn: false })) {
      bytes += (piece as Buffer).length;
      if (bytes > mostBytes) throw tooLong();
      pieces.push(piece as Buffer);
    }
  } catch (error) {
    if (error instanceof CacheError) throw error;
    throw new CacheError("CANCELLED", "the caller went away", { cause: error });
  }
  return Buffer.concat(pieces);
}
