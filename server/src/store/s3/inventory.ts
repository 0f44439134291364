import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { parseArchiveFilename } from "../../domain/cache-id.ts";
import type { Logger } from "../../domain/logger.ts";
import { namespaceOfFolder } from "../../domain/namespace.ts";
import type { Inventory, StoredFile, UsedArchive } from "../store.ts";
import type { S3Context } from "./calls/context.ts";
import { withDeadline } from "./calls/deadline.ts";
import { ifThere, statusOf } from "./calls/error.ts";
import { lookAt } from "./calls/found-object.ts";

/**
 * A use is noted no more often than that, for a note is a request that costs; that an archive was written
 * says as much as a note.
 */
const noteEveryMs = 24 * 3_600_000;

const damagedName = /^\.cache_[0-9a-f]{12}\.latest\.tar\.(?:zst|gz)\.[0-9a-f]{12}\.damaged$/;

const useName = /^\.cache_[0-9a-f]{12}\.latest\.tar\.(?:zst|gz)\.used$/;

/** The object whose time says when an archive was last loaded. */
function useKey(key: string): string {
  const slash = key.lastIndexOf("/") + 1;
  return `${key.slice(0, slash)}.${key.slice(slash)}.used`;
}

const probeName = /^\.probe-[0-9a-f]+$/;

/**
 * All objects of the store: archives, those that were set aside, and what was left behind: uploads, and notes
 * of use of none. A request for each thousand.
 */
export async function listInventory(
  context: S3Context,
  logger: Logger,
  signal: AbortSignal | undefined,
): Promise<Inventory> {
  const { client, bucket: Bucket, prefix: Prefix } = context;
  const files: StoredFile[] = [];
  const uses = new Map<string, { namespace: string; at: Date }>();
  let ContinuationToken: string | undefined;
  do {
    const request = { Bucket, Prefix, ...(ContinuationToken ? { ContinuationToken } : {}) };
    const page = await withDeadline(
      context,
      (options) => client.send(new ListObjectsV2Command(request), options),
      { signal },
    );
    for (const { Key = "", Size = 0, LastModified } of page.Contents ?? []) {
      const path = Key.slice(Prefix.length);
      const place = placeOf(path);
      if (!LastModified || !place) continue;
      const { namespace } = place;
      if (useName.test(place.name)) uses.set(path, { namespace, at: LastModified });
      const kind = kindOf(place);
      if (!kind || (kind === "archive" && Size === 0)) continue;
      files.push({ kind, path, namespace, bytes: Size, modifiedAt: LastModified });
    }
    ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (ContinuationToken);
  // The client learns from answers how far this machine's clock is off.
  const now = new Date(Date.now() + client.config.systemClockOffset);
  const withUse = (file: StoredFile): StoredFile => {
    const usedAt = uses.get(useKey(file.path))?.at;
    uses.delete(useKey(file.path));
    return usedAt ? { ...file, usedAt } : file;
  };
  const used = files.map(withUse);
  // Those that are left are of archives that are gone.
  const notes = [...uses].map(([path, { namespace, at: modifiedAt }]): StoredFile => {
    return { kind: "unfinished", path, namespace, bytes: 0, modifiedAt };
  });
  const uploads = await listUploads(context, signal).catch((error: unknown) => {
    signal?.throwIfAborted();
    logger.warn("could not list uploads that were never completed", { error });
    return [];
  });
  return { now, files: [...used, ...notes, ...uploads] };
}

/**
 * Where a path lies: in a namespace, or with an empty one at the store's root, where probes have their
 * objects; undefined for any other folder, which is not this store's.
 */
function placeOf(path: string): { namespace: string; name: string } | undefined {
  const slash = path.indexOf("/");
  const name = path.slice(slash + 1);
  const namespace = slash > 0 ? namespaceOfFolder(path.slice(0, slash)) : "";
  return namespace === undefined ? undefined : { namespace, name };
}

function kindOf({ namespace, name }: { namespace: string; name: string }) {
  if (namespace === "") return probeName.test(name) ? ("unfinished" as const) : undefined;
  if (damagedName.test(name)) return "damaged" as const;
  return parseArchiveFilename(name) ? ("archive" as const) : undefined;
}

/** Uploads that were begun, with what their parts take. A request for each thousand, and for each upload. */
async function listUploads(
  context: S3Context,
  signal: AbortSignal | undefined,
): Promise<StoredFile[]> {
  const { client, bucket: Bucket, prefix: Prefix } = context;
  const uploads: StoredFile[] = [];
  let next: { KeyMarker?: string; UploadIdMarker?: string } = {};
  for (let isLast = false; !isLast; ) {
    const request = new ListMultipartUploadsCommand({ Bucket, Prefix, ...next });
    const page = await withDeadline(context, (options) => client.send(request, options), {
      signal,
    });
    for (const { Key = "", UploadId, Initiated } of page.Uploads ?? []) {
      const path = Key.slice(Prefix.length);
      const place = placeOf(path);
      if (!UploadId || !Initiated || !place || !kindOf(place)) continue;
      const { namespace } = place;
      const bytes = await bytesOfParts(context, { Bucket, Key, UploadId }, signal);
      const upload = { kind: "unfinished", path, namespace, bytes, uploadId: UploadId } as const;
      uploads.push({ ...upload, modifiedAt: Initiated });
    }
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    isLast = !page.IsTruncated || !KeyMarker;
    next = { ...(KeyMarker ? { KeyMarker } : {}), ...(UploadIdMarker ? { UploadIdMarker } : {}) };
  }
  return uploads;
}

/** Of the first thousand parts, which are more than an archive has; 0 where the upload has ended meanwhile. */
async function bytesOfParts(
  context: S3Context,
  upload: { Bucket: string; Key: string; UploadId: string },
  signal: AbortSignal | undefined,
): Promise<number> {
  const list = new ListPartsCommand(upload);
  const listed = await ifThere(
    withDeadline(context, (options) => context.client.send(list, options), { signal }),
  );
  return (listed?.Parts ?? []).reduce((sum, { Size = 0 }) => sum + Size, 0);
}

/**
 * Removes an object of an inventory, if it is still the one that was listed: of an archive an empty object
 * stays, because few servers have a condition for a removal, but many have one for a replacement.
 */
export async function removeListed(
  context: S3Context,
  { kind, path, bytes, modifiedAt, uploadId: UploadId }: StoredFile,
  isConditional: boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { client, bucket: Bucket, prefix } = context;
  const Key = `${prefix}${path}`;
  if (UploadId !== undefined) return abortUpload(context, { Bucket, Key, UploadId }, signal);
  const there = await lookAt(context, Key, signal);
  // A listing may have more of a second than an answer to HEAD.
  const seconds = (date: Date) => Math.floor(date.getTime() / 1000);
  if (there?.bytes !== bytes) return false;
  if (seconds(there.modifiedAt) !== seconds(modifiedAt)) return false;
  if (kind !== "archive") {
    await withDeadline(
      context,
      (options) => client.send(new DeleteObjectCommand({ Bucket, Key }), options),
      { signal },
    );
    return true;
  }
  const empty = {
    ...{ Bucket, Key, Body: Buffer.alloc(0), ContentLength: 0 },
    ...context.encryption,
    ...(isConditional ? { IfMatch: there.etag } : {}),
  };
  try {
    await withDeadline(context, (options) => client.send(new PutObjectCommand(empty), options), {
      signal,
    });
  } catch (error) {
    if ([404, 409, 412].includes(statusOf(error) ?? 0)) return false;
    throw error;
  }
  await withDeadline(
    context,
    (options) => client.send(new DeleteObjectCommand({ Bucket, Key: useKey(Key) }), options),
    { signal },
  );
  return true;
}

/** False where it was completed or aborted meanwhile. */
async function abortUpload(
  context: S3Context,
  upload: { Bucket: string; Key: string; UploadId: string },
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const abort = new AbortMultipartUploadCommand(upload);
  const aborted = await ifThere(
    withDeadline(context, (options) => context.client.send(abort, options), { signal }),
  );
  return aborted !== undefined;
}

/** Notes the use of the archive at `key` beside it, for all daemons. */
export async function noteUseOf(
  context: S3Context,
  key: string,
  { modifiedAt }: UsedArchive,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { client, bucket: Bucket } = context;
  const now = Date.now() + client.config.systemClockOffset;
  if (now - modifiedAt.getTime() < noteEveryMs) return;
  const Key = useKey(key);
  const { Contents = [] } = await withDeadline(
    context,
    (options) =>
      client.send(new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 }), options),
    { signal },
  );
  const noted = Contents[0]?.LastModified;
  if (noted && now - noted.getTime() < noteEveryMs) return;
  const note = { Bucket, Key, Body: Buffer.alloc(0), ContentLength: 0, ...context.encryption };
  await withDeadline(context, (options) => client.send(new PutObjectCommand(note), options), {
    signal,
  });
}
