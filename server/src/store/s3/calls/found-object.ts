import { GetObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { CacheError } from "../../../domain/cache-error.ts";
import type { S3Context } from "./context.ts";
import { withDeadline } from "./deadline.ts";
import { ifThere, saysNoSuchKey, statusOf } from "./error.ts";

/** The field of an object's metadata that says which writer made it. */
export const ownerField = "compilecache-owner";

/** One object as it was found. Another may have its key by now. */
export interface FoundObject {
  readonly bytes: number;
  /** What conditions compare; objects of the same content may share it. */
  readonly etag: string;
  /** Random, and this object's alone; undefined if another tool wrote it. */
  readonly owner: string | undefined;
  readonly modifiedAt: Date;
}

/** The object that an answer is about. */
export function foundIn(answer: {
  ContentLength?: number | undefined;
  ContentRange?: string | undefined;
  ETag?: string | undefined;
  Metadata?: Record<string, string> | undefined;
  LastModified?: Date | undefined;
}): FoundObject {
  const [, total] = /\/(\d+)$/.exec(answer.ContentRange ?? "") ?? [];
  return {
    bytes: Number(total ?? answer.ContentLength),
    etag: answer.ETag ?? "",
    owner: answer.Metadata?.[ownerField],
    modifiedAt: answer.LastModified ?? new Date(0),
  };
}

/** How often a store is asked again that says two things of one object. */
const looksAtContradictions = 3;

/**
 * The object that has a key; undefined if none has. That there is none, or an empty one, counts once a
 * second call says so, too: an answer to HEAD has no body that could prove it.
 */
export async function lookAt(
  context: S3Context,
  key: string,
  signal?: AbortSignal,
): Promise<FoundObject | undefined> {
  for (let look = 1; look <= looksAtContradictions; look++) {
    const found = await head(context, key, signal);
    if (isArchive(found)) return found;
    const seen = await readAt(context, key, signal);
    if (!isArchive(seen) && Boolean(seen) === Boolean(found)) return found;
    // Another may have written it, or removed it, in between.
  }
  throw saysTwoThings(context, key);
}

/** The error for a store that answers HEAD and GET as if these were two objects. */
export function saysTwoThings({ url }: S3Context, key: string): CacheError {
  return new CacheError(
    "STORE_UNAVAILABLE",
    `the store ${url} says two things of one object: what HEAD finds at ${key} is not what GET finds`,
  );
}

async function head(
  context: S3Context,
  key: string,
  signal: AbortSignal | undefined,
): Promise<FoundObject | undefined> {
  const object = { Bucket: context.bucket, Key: key };
  const answer = await ifThere(
    withDeadline(
      context,
      (options) => context.client.send(new HeadObjectCommand(object), options),
      { signal },
    ),
  );
  return answer && foundIn(answer);
}

/**
 * The object that has a key, as an answer to GET says; undefined if none has. An empty one is told by
 * its length alone.
 */
export async function readAt(
  context: S3Context,
  key: string,
  signal?: AbortSignal,
): Promise<FoundObject | undefined> {
  const object = { Bucket: context.bucket, Key: key, Range: "bytes=-1" };
  try {
    return await withDeadline(
      context,
      async (options) => {
        const answer = await context.client.send(new GetObjectCommand(object), options);
        await answer.Body?.transformToByteArray();
        return foundIn(answer);
      },
      { signal },
    );
  } catch (error) {
    if (saysNoSuchKey(error)) return undefined;
    if (statusOf(error) === 416)
      return { bytes: 0, etag: "", owner: undefined, modifiedAt: new Date(0) };
    throw error;
  }
}

/**
 * Whether an object is an archive. An empty one stands for a damaged archive that was set aside: few
 * servers have a condition for a removal, but many have one for a replacement.
 */
export function isArchive(object: FoundObject | undefined): object is FoundObject {
  return object !== undefined && object.bytes > 0;
}

/**
 * The identity of an archive: any other, earlier or later, that has its key has another version. With
 * its length, so that one false answer about that is another version.
 */
export function versionOf({ etag, bytes, owner }: Omit<FoundObject, "modifiedAt">): string {
  return [etag, bytes, ...(owner === undefined ? [] : [owner])].join(" ");
}

/** The part of a version that conditions compare. */
export function etagOf(version: string): string {
  return version.split(" ")[0] ?? "";
}
