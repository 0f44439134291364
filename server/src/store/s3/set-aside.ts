import { randomBytes } from "node:crypto";
import { CopyObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { CacheError } from "../../domain/cache-error.ts";
import type { S3Context } from "./calls/context.ts";
import { withDeadline } from "./calls/deadline.ts";
import { statusOf } from "./calls/error.ts";
import { etagOf, isArchive, lookAt, versionOf } from "./calls/found-object.ts";

/** A store copies an object of a gigabyte in some seconds. */
const copyMs = 60_000;

/**
 * Copies an archive to a hidden name and puts an empty object at its key, if it is that very
 * version; false if it is not. Where the store ignores conditions (`isConditional` is false), a good
 * archive that came within the last milliseconds is lost.
 */
export async function setObjectAside(
  context: S3Context,
  key: string,
  version: string,
  isConditional: boolean,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { client, bucket: Bucket } = context;
  const found = async () => {
    const there = await lookAt(context, key, signal);
    return isArchive(there) && versionOf(there) === version ? there : undefined;
  };
  const damaged = await found();
  if (!damaged) return false;
  const IfMatch = etagOf(version);
  const slash = key.lastIndexOf("/") + 1;
  const random = randomBytes(6).toString("hex");
  const copy = {
    Bucket,
    Key: `${key.slice(0, slash)}.${key.slice(slash)}.${random}.damaged`,
    CopySource: `${Bucket}/${key}`,
    CopySourceIfMatch: IfMatch,
    ...context.encryption,
  };
  const empty = {
    Bucket,
    Key: key,
    Body: Buffer.alloc(0),
    ContentLength: 0,
    ...context.encryption,
    ...(isConditional ? { IfMatch } : {}),
  };
  try {
    await withDeadline(context, (options) => client.send(new CopyObjectCommand(copy), options), {
      signal,
      answerMs: copyMs,
      totalMs: copyMs,
    });
    const copied = await lookAt(context, copy.Key, signal);
    if (copied?.bytes !== damaged.bytes)
      throw new CacheError(
        "STORE_UNAVAILABLE",
        `the store ${context.url} reported a copy of ${key} that cannot be found there`,
      );
    if (!isConditional && !(await found())) return false;
    await withDeadline(context, (options) => client.send(new PutObjectCommand(empty), options), {
      signal,
    });
    return true;
  } catch (error) {
    if ([404, 412].includes(statusOf(error) ?? 0)) return false;
    throw error;
  }
}
