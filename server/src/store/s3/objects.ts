import { randomBytes } from "node:crypto";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { isNamespace, parseArchiveFilename } from "../../domain/cache-id.ts";
import type { ArchiveName } from "../store.ts";
import type { S3Context } from "./context.ts";
import { withDeadline } from "./deadline.ts";
import { statusOf } from "./error.ts";
import { etagOf, isArchive, lookAt, versionOf } from "./found-object.ts";

/** A store copies an object of a gigabyte in some seconds. */
const copyMs = 60_000;

/** The archives of a namespace, or of all: a request for each thousand. */
export async function listArchives(
  context: S3Context,
  namespace: string | undefined,
  signal: AbortSignal | undefined,
): Promise<ArchiveName[]> {
  const { client, bucket, prefix } = context;
  const names: ArchiveName[] = [];
  let ContinuationToken: string | undefined;
  do {
    const request = {
      Bucket: bucket,
      Prefix: namespace === undefined ? prefix : `${prefix}${namespace}/cache_`,
      ...(ContinuationToken ? { ContinuationToken } : {}),
    };
    const page = await withDeadline(
      context,
      (options) => client.send(new ListObjectsV2Command(request), options),
      { signal },
    );
    for (const { Key = "", Size } of page.Contents ?? []) {
      const [namespace = "", filename = "", ...rest] = Key.slice(prefix.length).split("/");
      if (rest.length > 0 || Size === 0) continue;
      if (isNamespace(namespace) && parseArchiveFilename(filename))
        names.push({ namespace, filename });
    }
    ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (ContinuationToken);
  // Keys come in another order: "a-b/" stands before "a/".
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return names.sort((a, b) => order(a.namespace, b.namespace) || order(a.filename, b.filename));
}

/** Removes an archive; false if there was none. */
export async function removeArchive(
  context: S3Context,
  key: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const there = await lookAt(context, key, signal);
  if (!there) return false;
  const object = { Bucket: context.bucket, Key: key };
  await withDeadline(
    context,
    (options) => context.client.send(new DeleteObjectCommand(object), options),
    { signal },
  );
  return isArchive(there);
}

/**
 * Copies an archive to a hidden name and puts an empty object in its context, if it is that very
 * version; false if it is not. Where the store ignores conditions (`isConditional` is false), one that
 * came within the last milliseconds would go too.
 */
export async function setArchiveAside(
  context: S3Context,
  key: string,
  version: string,
  isConditional: boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { client, bucket: Bucket } = context;
  const isThere = async () => {
    const there = await lookAt(context, key, signal);
    return isArchive(there) && versionOf(there) === version;
  };
  if (!(await isThere())) return false;
  const IfMatch = etagOf(version);
  const slash = key.lastIndexOf("/") + 1;
  const random = randomBytes(6).toString("hex");
  const copy = {
    Bucket,
    Key: `${key.slice(0, slash)}.${key.slice(slash)}.${random}.damaged`,
    CopySource: `${Bucket}/${key}`,
    CopySourceIfMatch: IfMatch,
  };
  const empty = {
    Bucket,
    Key: key,
    Body: Buffer.alloc(0),
    ContentLength: 0,
    ...(isConditional ? { IfMatch } : {}),
  };
  try {
    await withDeadline(context, (options) => client.send(new CopyObjectCommand(copy), options), {
      signal,
      answerMs: copyMs,
      totalMs: copyMs,
    });
    if (!isConditional && !(await isThere())) return false;
    await withDeadline(context, (options) => client.send(new PutObjectCommand(empty), options), {
      signal,
    });
    return true;
  } catch (error) {
    if ([404, 412].includes(statusOf(error) ?? 0)) return false;
    throw error;
  }
}
