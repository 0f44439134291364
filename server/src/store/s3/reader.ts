import type { Readable } from "node:stream";
import { GetObjectCommand, type GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { backOff, longestBackOffMs } from "../../async/back-off.ts";
import { CacheError } from "../../domain/cache-error.ts";
import { type ArchiveName, type ArchiveReader, ArchiveReplaced } from "../store.ts";
import type { S3Context } from "./calls/context.ts";
import { type CallOptions, lookMs, noAnswer, silentMs, withDeadline } from "./calls/deadline.ts";
import { isNetworkFailure, saysNoSuchKey, statusOf, toS3Error } from "./calls/error.ts";
import { foundIn, isArchive, lookAt, versionOf } from "./calls/found-object.ts";
import { requireSameObject } from "./calls/proven-answer.ts";
import { createReadAhead } from "./read-ahead.ts";

/** The end of an archive says where all the rest is, so the first request fetches it. */
const tailBytes = 128 * 1024;

/** Opens the archive that is the object `key`, or answers undefined if there is none. */
export async function openS3Archive(
  context: S3Context,
  name: ArchiveName,
  key: string,
  signal: AbortSignal | undefined,
): Promise<ArchiveReader | undefined> {
  const answer = await getTail(context, key, signal);
  if (!answer) return undefined;
  const found = foundIn(answer);
  const { bytes, modifiedAt, etag } = found;
  const object = { key, etag, bytes };
  const tailOffset = Math.max(0, bytes - tailBytes);
  const tail = Buffer.allocUnsafeSlow(bytes - tailOffset);
  await fill(context, object, tail, tailOffset, signal, answer);
  const ahead = createReadAhead(tailOffset, async (start, end, signal) => {
    const buffer = Buffer.allocUnsafeSlow(end - start);
    await fill(context, object, buffer, start, signal);
    return buffer;
  });
  return {
    ...name,
    bytes,
    modifiedAt,
    version: versionOf(found),
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      const end = Math.min(offset + length, bytes);
      if (offset < tailOffset) return ahead.read(offset, end, signal);
      // A copy, for the caller may transfer its memory.
      const buffer = Buffer.allocUnsafeSlow(Math.max(0, end - offset));
      tail.copy(buffer, 0, offset - tailOffset);
      return buffer;
    },
    async [Symbol.asyncDispose]() {
      ahead.close();
    },
  };
}

/** The object that a reader was opened on. */
interface PinnedObject {
  readonly key: string;
  readonly etag: string;
  readonly bytes: number;
}

/** How often a store is asked for an end that it says is not there. */
const mostAsks = 10;

/** The end of the archive; undefined if there is none. */
async function getTail(context: S3Context, key: string, signal: AbortSignal | undefined) {
  for (let ask = 1; ask <= mostAsks; ask++) {
    if (ask > 1) await backOff(ask - 1, signal);
    const answer = await askForTail(context, key, signal);
    if (answer !== "empty") return answer;
    // It has no last bytes. One that is not empty was written since, or was refused for no reason.
    if (!isArchive(await lookAt(context, key, signal))) return undefined;
  }
  throw new CacheError(
    "STORE_UNAVAILABLE",
    `the store ${context.url} does not serve the end of ${key}, which has one`,
  );
}

/** The end of the object, or what is there instead. A store that is too busy is asked again for 15 s. */
async function askForTail(
  context: S3Context,
  key: string,
  signal: AbortSignal | undefined,
): Promise<GetObjectCommandOutput | "empty" | undefined> {
  const tail = { Bucket: context.bucket, Key: key, Range: `bytes=-${tailBytes}` };
  const until = performance.now() + lookMs;
  let refusal: unknown;
  for (let attempt = 1; ; attempt++) {
    const totalMs = Math.max(1, Math.round(until - performance.now()));
    try {
      const answer = await withDeadline(
        context,
        (options) => context.client.send(new GetObjectCommand(tail), options),
        { signal, totalMs },
      );
      return isArchive(foundIn(answer)) ? answer : "empty";
    } catch (error) {
      if (saysNoSuchKey(error)) return undefined;
      if (statusOf(error) === 416) return "empty";
      signal?.throwIfAborted();
      // The client's own retries may end long before `until`; the last ones are cut short by it.
      if (isTooBusy(error)) refusal = error;
      if (error !== refusal || performance.now() + longestBackOffMs > until) throw refusal ?? error;
      await backOff(attempt, signal);
    }
  }
}

/** Whether the store asks for fewer requests. */
function isTooBusy(error: unknown): boolean {
  return [429, 503].includes(statusOf(error) ?? 0);
}

/**
 * Fills a buffer with the object's bytes from `offset`. Where an answer breaks off it asks for the rest,
 * and gives up when no byte has come for 15 s. `answer` is one that is there already, with these bytes.
 */
async function fill(
  context: S3Context,
  object: PinnedObject,
  buffer: Buffer,
  offset: number,
  signal: AbortSignal | undefined,
  answer?: GetObjectCommandOutput,
): Promise<void> {
  const stall = new AbortController();
  const stallTimer = setTimeout(() => stall.abort(), lookMs);
  const abortSignal = signal ? AbortSignal.any([signal, stall.signal]) : stall.signal;
  const options = { abortSignal, requestTimeout: silentMs };
  let done = 0;
  let next = answer;
  const take = (chunk: Buffer) => {
    done += chunk.copy(buffer, done);
    stallTimer.refresh();
  };
  try {
    for (let attempt = 0; done < buffer.length; attempt++) {
      try {
        if (attempt > 0) await backOff(attempt, abortSignal);
        next ??= await getRange(context, object, offset + done, offset + buffer.length, options);
        await drain(next.Body as Readable, take);
      } catch (error) {
        signal?.throwIfAborted();
        if (stall.signal.aborted) throw noAnswer(context.url, lookMs, error);
        if (isGone(error)) throw new ArchiveReplaced(context.url, error);
        if (!mayPass(error)) throw toS3Error(error, context);
      }
      next = undefined;
    }
  } finally {
    clearTimeout(stallTimer);
  }
}

async function getRange(
  { client, bucket, url }: S3Context,
  object: PinnedObject,
  start: number,
  end: number,
  options: CallOptions,
): Promise<GetObjectCommandOutput> {
  const answer = await client.send(
    new GetObjectCommand({
      Bucket: bucket,
      Key: object.key,
      Range: `bytes=${start}-${end - 1}`,
      IfMatch: object.etag,
    }),
    options,
  );
  try {
    requireSameObject(url, object, foundIn(answer));
  } catch (error) {
    (answer.Body as Readable).destroy();
    throw error;
  }
  return answer;
}

async function drain(body: Readable, take: (chunk: Buffer) => void): Promise<void> {
  const silence = setTimeout(() => body.destroy(new SilentBody()), silentMs);
  try {
    for await (const chunk of body) {
      silence.refresh();
      take(chunk);
    }
  } finally {
    clearTimeout(silence);
  }
}

/** An answer that stopped coming. */
class SilentBody extends Error {
  readonly code = "ETIMEDOUT";
}

/** Whether the same call may succeed a moment later. */
function mayPass(error: unknown): boolean {
  const status = statusOf(error);
  if (status !== undefined) return status === 429 || [500, 502, 503, 504].includes(status);
  return isNetworkFailure(error);
}

/** Whether the object of a read is no longer there, or another has its key. */
function isGone(error: unknown): boolean {
  if (saysNoSuchKey(error)) return true;
  const status = statusOf(error);
  // The range was in the object. (MinIO compares it with a shorter new one before it looks at the tag.)
  return status === 412 || status === 416;
}
