import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import type { ObjectServer } from "./object-server.ts";

async function call<T>(
  { server }: ObjectServer,
  body: (client: S3Client) => Promise<T>,
): Promise<T> {
  const client = new S3Client({ ...server, region: "us-east-1", forcePathStyle: true });
  try {
    return await body(client);
  } finally {
    client.destroy();
  }
}

/** The keys of all objects, hidden ones included. */
export async function listKeys(server: ObjectServer): Promise<string[]> {
  const list = new ListObjectsV2Command({ Bucket: server.bucket });
  const { Contents = [] } = await call(server, (client) => client.send(list));
  return Contents.map(({ Key = "" }) => Key);
}

/** The keys that only a daemon leaves that was killed while it probed. */
export async function probeKeys(server: ObjectServer): Promise<string[]> {
  return (await listKeys(server)).filter((key) => key.includes("/.probe-"));
}

async function uploadsIn(server: ObjectServer, prefix: string | undefined) {
  const list = new ListMultipartUploadsCommand({ Bucket: server.bucket, Prefix: prefix });
  const { Uploads = [] } = await call(server, (client) => client.send(list));
  return Uploads;
}

/** How many uploads were neither completed nor aborted. */
export async function countUploads(server: ObjectServer): Promise<number> {
  return (await uploadsIn(server, undefined)).length;
}

/** How many uploads to this very key were neither completed nor aborted. (MinIO lists no others.) */
export async function countUploadsTo(server: ObjectServer, key: string): Promise<number> {
  return (await uploadsIn(server, key)).filter(({ Key }) => Key === key).length;
}

/** Makes all in a bucket of versitygw, archives aside, two days old. */
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
