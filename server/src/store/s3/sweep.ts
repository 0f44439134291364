import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from "@aws-sdk/client-s3";
import type { S3Place } from "./client.ts";
import { withDeadline } from "./deadline.ts";

const abandonedAfterMs = 24 * 3_600_000;

/** The most that one sweep removes: it stands beside other work. */
const mostRemoved = 16;

/**
 * Aborts the store's uploads that nobody completed within a day: their parts take space, and no
 * listing shows them. One request, and one for each that is aborted.
 */
export async function sweepUploads(place: S3Place): Promise<void> {
  const { client, bucket: Bucket, prefix } = place;
  const { Uploads = [] } = await withDeadline(place, (options) =>
    client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix }), options),
  );
  const abandoned = Uploads.filter(({ Initiated }) => isAbandoned(place, Initiated));
  for (const { Key, UploadId } of abandoned.slice(0, mostRemoved))
    await withDeadline(place, (options) =>
      client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), options),
    );
}

/**
 * Removes objects whose keys start so and that nobody removed within a day. One request, and one for
 * each that is removed.
 */
export async function sweepObjects(place: S3Place, Prefix: string): Promise<void> {
  const { client, bucket: Bucket } = place;
  const { Contents = [] } = await withDeadline(place, (options) =>
    client.send(new ListObjectsV2Command({ Bucket, Prefix }), options),
  );
  const abandoned = Contents.filter(({ LastModified }) => isAbandoned(place, LastModified));
  for (const { Key } of abandoned.slice(0, mostRemoved))
    await withDeadline(place, (options) =>
      client.send(new DeleteObjectCommand({ Bucket, Key }), options),
    );
}

function isAbandoned({ client }: S3Place, since: Date | undefined): boolean {
  // The client learns how far this machine's clock is off.
  const now = Date.now() + client.config.systemClockOffset;
  return since !== undefined && now - since.getTime() > abandonedAfterMs;
}
