import { randomBytes } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import type { ArchiveWriter } from "../../store.ts";
import type { S3Context } from "../calls/context.ts";
import { uploadDeadline, withDeadline } from "../calls/deadline.ts";
import { withS3Errors } from "../calls/error.ts";
import { ownerField } from "../calls/found-object.ts";
import { type Condition, commitObject } from "./commit.ts";
import type { Conditions } from "./conditions.ts";
import { createMultipartUpload, type MultipartUpload, partBytes } from "./multipart-upload.ts";

/** A store may have to put the parts of a large archive together. */
const completeMs = 60_000;

/**
 * A writer of an archive that is the object `key`. Chunks are gathered into parts, which are uploaded
 * while the next are written; an archive that fits in one part is one request. Holds at most
 * `partsInFlight + 1` parts in memory.
 */
export function createS3ArchiveWriter(
  context: S3Context,
  key: string,
  conditions: Conditions,
): ArchiveWriter {
  const { client, bucket } = context;
  const owner = randomBytes(12).toString("hex");
  const metadata = { [ownerField]: owner };
  const spare: Buffer[] = [];
  let part: Buffer = Buffer.alloc(0);
  let filled = 0;
  let bytesWritten = 0;
  let upload: MultipartUpload | undefined;
  let finished = false;

  const call = <T>(body: () => Promise<T>, signal?: AbortSignal) =>
    withS3Errors(context, body, signal);
  const uploadPart = async (signal: AbortSignal | undefined) => {
    upload ??= await createMultipartUpload(context, key, metadata, signal);
    const full = part;
    const bytes = filled;
    part = spare.pop() ?? Buffer.allocUnsafeSlow(partBytes);
    filled = 0;
    await upload.add(full.subarray(0, bytes), () => spare.push(full), signal);
  };
  const put = (condition: Condition) =>
    upload
      ? withDeadline(
          context,
          (options) => (upload as MultipartUpload).complete(condition, options),
          {
            answerMs: completeMs,
            totalMs: completeMs,
          },
        )
      : withDeadline(
          context,
          (options) =>
            client.send(
              new PutObjectCommand({
                Bucket: bucket,
                Key: key,
                Body: part.subarray(0, filled),
                Metadata: metadata,
                ...context.checksum,
                ...context.encryption,
                ...condition,
              }),
              options,
            ),
          uploadDeadline(filled),
        );
  return {
    get bytesWritten() {
      return bytesWritten;
    },
    write: (chunk, signal) =>
      call(async () => {
        signal?.throwIfAborted();
        if (part.length === 0) part = Buffer.allocUnsafeSlow(partBytes);
        for (let done = 0; done < chunk.length; ) {
          if (filled === partBytes) await uploadPart(signal);
          const taken = Math.min(chunk.length - done, partBytes - filled);
          part.set(chunk.subarray(done, done + taken), filled);
          filled += taken;
          done += taken;
          bytesWritten += taken;
        }
      }, signal),
    commit: (mode, signal) =>
      call(async () => {
        if (upload) {
          await uploadPart(signal);
          await upload.settle(signal);
        }
        const isConditional = await conditions.hold(mode, signal);
        // No signal from here on: a caller must not take for undone what is done.
        const result = await commitObject(context, {
          key,
          owner,
          bytes: bytesWritten,
          mode,
          isConditional,
          put,
        });
        finished = result === "committed";
        return result;
      }, signal),
    async abort() {
      if (finished) return;
      finished = true;
      await upload?.abort().catch(() => {});
    },
  };
}
