import { DeleteObjectCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import { CacheError } from "../../domain/cache-error.ts";
import { parseArchiveFilename } from "../../domain/cache-id.ts";
import type { Logger } from "../../domain/logger.ts";
import { folderOfNamespace, namespaceOfFolder } from "../../domain/namespace.ts";
import type { ArchiveName, Store } from "../store.ts";
import { createS3Client, type S3Server } from "./calls/client.ts";
import type { S3Context } from "./calls/context.ts";
import { withDeadline } from "./calls/deadline.ts";
import { statusOf, withS3Errors } from "./calls/error.ts";
import { isArchive, lookAt, versionOf } from "./calls/found-object.ts";
import { requireProvenAnswers } from "./calls/proven-answer.ts";
import { listInventory, noteUseOf, removeListed } from "./inventory.ts";
import { openS3Archive } from "./reader.ts";
import { setObjectAside } from "./set-aside.ts";
import { createConditions } from "./write/conditions.ts";
import { sweepUploads } from "./write/sweep.ts";
import { createS3ArchiveWriter } from "./write/writer.ts";

/** How a bucket is used, beyond what the AWS SDK's own settings say. */
export interface S3Options {
  /** Whether calls go without credentials, as public buckets allow it for reading. */
  readonly isAnonymous?: boolean;
  /** How the server encrypts what it stores; the bucket's own way by default. */
  readonly encryption?: {
    readonly algorithm: "AES256" | "aws:kms" | "aws:kms:dsse";
    /** Id, alias or ARN of the key, for the last two; by default AWS's own. */
    readonly keyId?: string;
  };
}

/**
 * Opens a store in a bucket: `<prefix>/<folder of the namespace>/<filename>`. Endpoint, region and credentials come
 * from where createS3Client says, or are given as `server`.
 */
export async function createS3Store({
  bucket,
  logger,
  server,
  isAnonymous = false,
  encryption,
  ...options
}: S3Options & {
  bucket: string;
  /** Without slashes at its ends; may be empty. */
  prefix: string;
  logger: Logger;
  server?: S3Server;
}): Promise<Store> {
  const prefix = options.prefix === "" ? "" : `${options.prefix}/`;
  const url = `s3://${bucket}/${options.prefix}`.replace(/\/$/, "");
  const client = await createS3Client(logger, { isAnonymous, ...(server ? { server } : {}) });
  requireProvenAnswers(client, url);
  const context: S3Context = {
    client,
    bucket,
    prefix,
    url,
    isAnonymous,
    checksum: await checksumOf(client),
    encryption: encryptionOf(encryption),
  };
  const conditions = createConditions(context, logger);
  const keyOf = ({ namespace, filename }: ArchiveName) =>
    `${prefix}${folderOfNamespace(namespace)}/${filename}`;
  const call = <T>(body: () => Promise<T>, signal?: AbortSignal) =>
    withS3Errors(context, body, signal);

  /** Who may only read is refused once, and not at each load. */
  let mayNote = !isAnonymous;

  return {
    url,
    note: () => conditions.describe(),
    open: (name, signal) => call(() => openS3Archive(context, name, keyOf(name), signal), signal),
    async create(name, signal) {
      signal?.throwIfAborted();
      sweepUploads(context).catch((error: unknown) => {
        logger.debug("could not sweep abandoned uploads", { error });
      });
      return createS3ArchiveWriter(context, keyOf(name), conditions);
    },
    list: (namespace, signal) => call(() => listArchives(context, namespace, signal), signal),
    remove: (name, signal) => call(() => removeArchive(context, keyOf(name), signal), signal),
    setAside: (name, version, signal) =>
      call(async () => {
        const isConditional = await conditions.hold({ replaces: version }, signal);
        return setObjectAside(context, keyOf(name), version, isConditional, signal);
      }, signal),
    inventory: (signal) => call(() => listInventory(context, logger, signal), signal),
    removeFile: (file, signal) =>
      call(async () => {
        const isConditional = await conditions.hold({ replaces: "" }, signal);
        return removeListed(context, file, isConditional, signal);
      }, signal),
    noteUse: (archive, signal) =>
      call(async () => {
        if (!mayNote) return;
        try {
          await noteUseOf(context, keyOf(archive), archive, signal);
        } catch (error) {
          mayNote = statusOf(error) !== 403;
          throw error;
        }
      }, signal),
    async freeBytes() {
      return undefined;
    },
  };
}

/** Uploads carry CRC32, unless AWS_REQUEST_CHECKSUM_CALCULATION or the profile wants none. */
async function checksumOf({ config }: S3Client): Promise<S3Context["checksum"]> {
  const when = await config.requestChecksumCalculation();
  return when === "WHEN_SUPPORTED" ? { ChecksumAlgorithm: "CRC32" } : {};
}

function encryptionOf(encryption: S3Options["encryption"]): S3Context["encryption"] {
  if (!encryption) return {};
  const { algorithm, keyId } = encryption;
  return { ServerSideEncryption: algorithm, ...(keyId ? { SSEKMSKeyId: keyId } : {}) };
}

/** A request for each thousand. */
async function listArchives(
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
      Prefix: namespace === undefined ? prefix : `${prefix}${folderOfNamespace(namespace)}/cache_`,
      ...(ContinuationToken ? { ContinuationToken } : {}),
    };
    const page = await withDeadline(
      context,
      (options) => client.send(new ListObjectsV2Command(request), options),
      { signal },
    );
    for (const { Key = "", Size } of page.Contents ?? []) {
      const [folder = "", filename = "", ...rest] = Key.slice(prefix.length).split("/");
      if (rest.length > 0 || Size === 0) continue;
      const namespace = namespaceOfFolder(folder);
      if (namespace !== undefined && parseArchiveFilename(filename))
        names.push({ namespace, filename });
    }
    ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (ContinuationToken);
  // Keys are in another order: "a-b/" comes before "a/".
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return names.sort((a, b) => order(a.namespace, b.namespace) || order(a.filename, b.filename));
}

async function removeArchive(
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
  const left = await lookAt(context, key, signal);
  if (left && versionOf(left) === versionOf(there))
    throw new CacheError(
      "STORE_UNAVAILABLE",
      `the store ${context.url} reported a removal of ${key}, and still has it`,
    );
  return isArchive(there);
}
