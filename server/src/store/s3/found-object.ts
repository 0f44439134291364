import { HeadObjectCommand } from "@aws-sdk/client-s3";
import type { S3Context } from "./context.ts";
import { withDeadline } from "./deadline.ts";
import { statusOf } from "./error.ts";

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
 * Whether an object is an archive. An empty one stands for a damaged archive that was set aside: few
 * servers have a condition for a removal, but many have one for a replacement.
 */
export function isArchive(object: FoundObject | undefined): object is FoundObject {
  return object !== undefined && object.bytes > 0;
}

/** The identity of an archive: any other, earlier or later, that has its key has another version. */
export function versionOf({ etag, owner }: FoundObject): string {
  return owner === undefined ? etag : `${etag} ${owner}`;
}

/** The part of a version that conditions compare. */
export function etagOf(version: string): string {
  return version.split(" ")[0] ?? "";
}
