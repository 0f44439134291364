import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import type { ObjectServer } from "../../../fixtures/object-server.ts";
import { listKeys } from "./bucket-content.ts";

/** How many uploads to this very key nobody has completed or aborted. (MinIO shows no others.) */
export async function countUploadsTo(
  { server, bucket }: ObjectServer,
  key: string,
): Promise<number> {
  const client = new S3Client({ ...server, region: "us-east-1", forcePathStyle: true });
  const { Uploads = [] } = await client.send(
    new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key }),
  );
  client.destroy();
  return Uploads.filter(({ Key }) => Key === key).length;
}

/** The keys that only a daemon that was killed while it probed leaves. */
export async function probeKeys(server: ObjectServer): Promise<string[]> {
  return (await listKeys(server)).filter((key) => key.includes("/.probe-"));
}

/** Has what is in a bucket of versitygw, archives aside, be of the day before yesterday. */
export function ageLeftovers({ dir, bucket }: ObjectServer, prefix: string): void {
  const root = join(dir, bucket);
  const uploads = join(root, ".sgwtmp", "multipart");
  const time = new Date(Date.now() - 48 * 3_600_000);
  for (const key of readdirSync(uploads))
    for (const upload of readdirSync(join(uploads, key)))
      utimesSync(join(uploads, key, upload), time, time);
  for (const name of readdirSync(join(root, prefix)))
    if (name.startsWith(".")) utimesSync(join(root, prefix, name), time, time);
}
