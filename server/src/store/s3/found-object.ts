import { HeadObjectCommand } from "@aws-sdk/client-s3";
import type { S3Context } from "./context.ts";
import { withDeadline } from "./deadline.ts";
import { statusOf } from "./error.ts";

/** Where an object's metadata tell who wrote it. */
export const ownerField = "compilecache-owner";

/** One object as it was found: what has its key later on may be another. */
export interface FoundObject {
  readonly bytes: number;
  /** What conditions go by; objects of the same content may share it. */
  readonly etag: string;
  /** Random, and of this object alone; absent if another tool wrote it. */
  readonly owner: string | undefined;
  readonly modifiedAt: Date;
}

/** What an answer tells of the object that it is about. */
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

/** The object that has a key; undefined if none has. */
export async function lookAt(
  context: S3Context,
  key: string,
  signal?: AbortSignal,
): Promise<FoundObject | undefined> {
  const object = { Bucket: context.bucket, Key: key };
  try {
    const answer = await withDeadline(
      context,
      (options) => context.client.send(new HeadObjectCommand(object), options),
      { signal },
    );
    return foundIn(answer);
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/**
 * Whether an object is an archive. An empty one marks a place from which a damaged archive was taken:
 * servers that tie a removal to a version are rare, but many tie a replacement to one.
 */
export function isArchive(object: FoundObject | undefined): object is FoundObject {
  return object !== undefined && object.bytes > 0;
}

/** Tells an archive from any other that had or will have its key. */
export function versionOf({ etag, owner }: FoundObject): string {
  return owner === undefined ? etag : `${etag} ${owner}`;
}

/** The part of a version that conditions go by. */
export function etagOf(version: string): string {
  return version.split(" ")[0] ?? "";
}
