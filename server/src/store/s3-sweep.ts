import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import type { S3Place } from "./s3-client.ts";
import { withDeadline } from "./s3-deadline.ts";

const abandonedAfterMs = 24 * 3_600_000;

/** The most uploads that one sweep aborts: it stands beside a save. */
const mostAborted = 16;

/**
 * Aborts the store's uploads that nobody completed within a day: their parts take space, and no
 * listing shows them. One request, and one for each that is aborted.
 */
export async function sweepUploads(place: S3Place): Promise<void> {
  const { client, bucket: Bucket, prefix } = place;
  const { Uploads = [] } = await withDeadline(place, (options) =>
    client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix }), options),
  );
  // The client learns how far this machine's clock is off.
  const now = Date.now() + client.config.systemClockOffset;
  const abandoned = Uploads.filter(
    ({ Initiated }) => Initiated && now - Initiated.getTime() > abandonedAfterMs,
  );
  for (const { Key, UploadId } of abandoned.slice(0, mostAborted))
    await withDeadline(place, (options) =>
      client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }), options),
    );
}
