import type { PutObjectCommandInput, S3Client } from "@aws-sdk/client-s3";

/** What the parts of the S3 store share: where archives live, and the client that calls there. */
export interface S3Context {
  readonly client: S3Client;
  readonly bucket: string;
  /** What all keys start with: nothing, or text that ends in a slash. */
  readonly prefix: string;
  /** The store's URL, for people. */
  readonly url: string;
  /** Whether calls go without credentials. */
  readonly isAnonymous: boolean;
  /** What a call with content says of its checksum. */
  readonly checksum: Pick<PutObjectCommandInput, "ChecksumAlgorithm">;
  /** What a call that makes an object says of its encryption. */
  readonly encryption: Pick<PutObjectCommandInput, "ServerSideEncryption" | "SSEKMSKeyId">;
}
