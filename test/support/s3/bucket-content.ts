import { ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import type { ObjectServer } from "../../../fixtures/object-server.ts";

function clientOf({ server }: ObjectServer): S3Client {
  return new S3Client({ ...server, region: "us-east-1", forcePathStyle: true });
}

/** The keys of all objects, hidden ones included. */
export async function listKeys(server: ObjectServer): Promise<string[]> {
  const { Contents = [] } = await clientOf(server).send(
    new ListObjectsV2Command({ Bucket: server.bucket }),
  );
  return Contents.map(({ Key = "" }) => Key);
}

/** How many uploads nobody has completed or aborted. */
export async function countUploads(server: ObjectServer): Promise<number> {
  const { Uploads = [] } = await clientOf(server).send(
    new ListMultipartUploadsCommand({ Bucket: server.bucket }),
  );
  return Uploads.length;
}
