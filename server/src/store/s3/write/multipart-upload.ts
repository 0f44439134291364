import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { orAborted } from "../../../async/or-aborted.ts";
import { CacheError } from "../../../domain/cache-error.ts";
import type { S3Context } from "../calls/context.ts";
import { type CallOptions, uploadDeadline, withDeadline } from "../calls/deadline.ts";
import type { Condition } from "./commit.ts";

/** Every part but the last has this size, the least that S3 takes: some servers want them alike. */
export const partBytes = 5 * 1024 * 1024;

/** Parts on their way at once. */
export const partsInFlight = 4;

const mostParts = 10_000;

/** How long an abort may take; after that the sweep removes the parts. */
const abortMs = 5_000;

/** An object that is uploaded in parts. It is invisible until it is completed. */
export interface MultipartUpload {
  /**
   * Starts to upload the next part, and waits while `partsInFlight` are on their way. `release` is
   * called when the part's memory is free again. Throws the failure of an earlier part.
   */
  add(part: Buffer, release: () => void, signal?: AbortSignal): Promise<void>;
  /** Waits for all parts. Throws the failure of any. */
  settle(signal?: AbortSignal): Promise<void>;
  complete(condition: Condition, options: CallOptions): Promise<unknown>;
  /** Stops the uploads and discards the parts. */
  abort(): Promise<void>;
}

export async function createMultipartUpload(
  context: S3Context,
  key: string,
  metadata: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<MultipartUpload> {
  const { client, bucket, url } = context;
  const object = { Bucket: bucket, Key: key };
  const { UploadId } = await withDeadline(
    context,
    (options) =>
      client.send(
        new CreateMultipartUploadCommand({
          ...object,
          Metadata: metadata,
          ...context.checksum,
          ...context.encryption,
        }),
        options,
      ),
    { signal },
  );
  const upload = { ...object, UploadId };
  const stop = new AbortController();
  const parts: CompletedPart[] = [];
  const underWay = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;

  const uploadPart = async (part: Buffer, PartNumber: number) => {
    const command = { ...upload, PartNumber, Body: part, ...context.checksum };
    const { ETag, ChecksumCRC32 } = await withDeadline(
      context,
      (options) => client.send(new UploadPartCommand(command), options),
      { signal: stop.signal, ...uploadDeadline(part.length) },
    );
    parts[PartNumber - 1] = { PartNumber, ETag, ChecksumCRC32 };
  };
  const throwFailure = () => {
    if (failure) throw failure.error;
  };

  let count = 0;
  return {
    async add(part, release, signal) {
      throwFailure();
      count += 1;
      if (count > mostParts)
        throw new CacheError(
          "CACHE_TOO_LARGE",
          `the store ${url} takes archives of at most ${mostParts * partBytes} bytes`,
        );
      const uploading = uploadPart(part, count)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => {
          underWay.delete(uploading);
          release();
        });
      underWay.add(uploading);
      if (underWay.size >= partsInFlight) await orAborted(Promise.race(underWay), signal);
      throwFailure();
    },
    async settle(signal) {
      await orAborted(Promise.all(underWay), signal);
      throwFailure();
    },
    complete: (condition, options) =>
      client.send(
        new CompleteMultipartUploadCommand({
          ...upload,
          ...condition,
          MultipartUpload: { Parts: parts },
        }),
        options,
      ),
    async abort() {
      stop.abort();
      await Promise.all(underWay);
      await withDeadline(
        context,
        (options) => client.send(new AbortMultipartUploadCommand(upload), options),
        { totalMs: abortMs },
      );
    },
  };
}
