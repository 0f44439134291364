import { DeleteObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { isNamespace, parseArchiveFilename } from "../../domain/cache-id.ts";
import type { Inventory, StoredFile } from "../store.ts";
import type { S3Context } from "./calls/context.ts";
import { withDeadline } from "./calls/deadline.ts";
import { statusOf } from "./calls/error.ts";
import { lookAt } from "./calls/found-object.ts";

/** A use is noted no more often than that, for a note is a request that costs. */
const noteEveryMs = 24 * 3_600_000;

const damagedName = /^\.cache_[0-9a-f]{12}\.latest\.tar\.(?:zst|gz)\.[0-9a-f]{12}\.damaged$/;

const useName = /^\.cache_[0-9a-f]{12}\.latest\.tar\.(?:zst|gz)\.used$/;

/** The object whose time says when an archive was last loaded. */
function useKey(key: string): string {
  const slash = key.lastIndexOf("/") + 1;
  return `${key.slice(0, slash)}.${key.slice(slash)}.used`;
}

/** All objects of the store: archives, those that were set aside, and notes of use of none. A request for each thousand. */
export async function listInventory(
  context: S3Context,
  signal: AbortSignal | undefined,
): Promise<Inventory> {
  const { client, bucket: Bucket, prefix: Prefix } = context;
  const files: StoredFile[] = [];
  const uses = new Map<string, Date>();
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
      const [namespace = "", name = "", ...rest] = path.split("/");
      if (rest.length > 0 || !isNamespace(namespace) || !LastModified) continue;
      if (useName.test(name)) uses.set(path, LastModified);
      const kind = damagedName.test(name) ? "damaged" : "archive";
      if (kind === "archive" && (Size === 0 || !parseArchiveFilename(name))) continue;
      files.push({ kind, path, namespace, bytes: Size, modifiedAt: LastModified });
    }
    ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (ContinuationToken);
  // The client learns from answers how far this machine's clock is off.
  const now = new Date(Date.now() + client.config.systemClockOffset);
  const withUse = (file: StoredFile): StoredFile => {
    const usedAt = uses.get(useKey(file.path));
    uses.delete(useKey(file.path));
    return usedAt ? { ...file, usedAt } : file;
  };
  const all = files.map(withUse);
  // Those that are left are of archives that are gone.
  for (const [path, modifiedAt] of uses) {
    const namespace = path.slice(0, path.indexOf("/"));
    all.push({ kind: "unfinished", path, namespace, bytes: 0, modifiedAt });
  }
  return { now, files: all };
}

/**
 * Removes an object of an inventory, if it is still the one that was listed: of an archive an empty object
 * stays, because few servers have a condition for a removal, but many have one for a replacement.
 */
export async function removeListed(
  context: S3Context,
  { kind, path, bytes, modifiedAt }: StoredFile,
  isConditional: boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { client, bucket: Bucket, prefix } = context;
  const Key = `${prefix}${path}`;
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

/** Notes the use of the archive at `key` beside it, for all daemons. */
export async function noteUseOf(
  context: S3Context,
  key: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { client, bucket: Bucket } = context;
  const Key = useKey(key);
  const { Contents = [] } = await withDeadline(
    context,
    (options) =>
      client.send(new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 }), options),
    { signal },
  );
  const now = Date.now() + client.config.systemClockOffset;
  const noted = Contents[0]?.LastModified;
  if (noted && now - noted.getTime() < noteEveryMs) return;
  const note = { Bucket, Key, Body: Buffer.alloc(0), ContentLength: 0, ...context.encryption };
  await withDeadline(context, (options) => client.send(new PutObjectCommand(note), options), {
    signal,
  });
}
