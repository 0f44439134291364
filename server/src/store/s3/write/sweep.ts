import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from "@aws-sdk/client-s3";
import type { S3Context } from "../calls/context.ts";
import { withDeadline } from "../calls/deadline.ts";

const abandonedAfterMs = 24 * 3_600_000;

/** The most that one sweep removes, for it runs beside other work. */
const mostRemoved = 16;

/**
 * Aborts uploads of the store that were begun over a day ago: their parts take space, and no listing
 * shows them. One request, and one for each that is aborted.
 */
export async function sweepUploads(context: S3Context): Promise<void> {
  const { client, bucket: Bucket, prefix } = context;
  const { Uploads = [] } = await withDeadline(context, (options) =>
    client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix }), options),
  );
  const abandoned = Uploads.filter(({ Initiated }) => isAbandoned(context, Initiated));
  for (const { Key, UploadId } of abandoned.slice(0, mostRemoved))
    await withDeadline(context, (options) =>
      client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), options),
    );
}

/**
 * Removes objects over a day old whose keys begin with `Prefix`. One request, and one for each that is
 * removed.
 */
export async function sweepObjects(context: S3Context, Prefix: string): Promise<void> {
  const { client, bucket: Bucket } = context;
  const { Contents = [] } = await withDeadline(context, (options) =>
    client.send(new ListObjectsV2Command({ Bucket, Prefix }), options),
  );
  const abandoned = Contents.filter(({ LastModified }) => isAbandoned(context, LastModified));
  for (const { Key } of abandoned.slice(0, mostRemoved))
    await withDeadline(context, (options) =>
      client.send(new DeleteObjectCommand({ Bucket, Key }), options),
    );
}

function isAbandoned({ client }: S3Context, since: Date | undefined): boolean {
  // The client learns from answers how far this machine's clock is off.
  const now = Date.now() + client.config.systemClockOffset;
  return since !== undefined && now - since.getTime() > abandonedAfterMs;
}
