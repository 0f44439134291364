import type { Logger } from "../../domain/logger.ts";
import type { ArchiveName, Store } from "../store.ts";
import { createS3Client, type S3Server } from "./client.ts";
import { createConditions } from "./conditions.ts";
import type { S3Context } from "./context.ts";
import { withS3Errors } from "./error.ts";
import { listArchives, removeArchive, setArchiveAside } from "./objects.ts";
import { openS3Archive } from "./reader.ts";
import { sweepUploads } from "./sweep.ts";
import { createS3ArchiveWriter } from "./writer.ts";

/**
 * A store in a bucket: `<prefix>/<namespace>/<filename>`. Endpoint, region and credentials come from
 * where createS3Client says, or are given as `server`.
 */
export function createS3Store(options: {
  bucket: string;
  /** Without slashes at its ends; may be empty. */
  prefix: string;
  logger: Logger;
  server?: S3Server;
}): Store {
  const { bucket, logger } = options;
  const prefix = options.prefix === "" ? "" : `${options.prefix}/`;
  const url = `s3://${bucket}/${options.prefix}`.replace(/\/$/, "");
  const client = createS3Client(logger, options.server);
  const context: S3Context = { client, bucket, prefix, url };
  const conditions = createConditions(context, logger);
  const keyOf = ({ namespace, filename }: ArchiveName) => `${prefix}${namespace}/${filename}`;
  const call = <T>(body: () => Promise<T>, signal?: AbortSignal) =>
    withS3Errors(context, body, signal);

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
        return setArchiveAside(context, keyOf(name), version, isConditional, signal);
      }, signal),
    async freeBytes() {
      return undefined;
    },
  };
}
