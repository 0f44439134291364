import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import type { Logger } from "../../domain/logger.ts";

/** Signing needs the name of a region; servers other than AWS seldom care which. */
const regionElsewhere = "us-east-1";

const connectMs = 3_000;
const attempts = 5;

/** A server, where it is not the one that the environment names. */
export type S3Server = Pick<S3ClientConfig, "endpoint" | "credentials">;

/**
 * A client that takes endpoint, region and credentials from where the AWS SDK takes them: environment
 * variables, profiles, roles. A server that AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3 names is called
 * with the bucket in the path, for few such servers have a host name for each bucket.
 */
export function createS3Client(logger: Logger, server: S3Server = {}): S3Client {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
  const isElsewhere = Boolean(server.endpoint || AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL);
  const { region } = new S3Client({}).config;
  return new S3Client({
    ...server,
    logger: sdkLogger(logger),
    forcePathStyle: isElsewhere,
    ...(isElsewhere ? { region: () => region().catch(() => regionElsewhere) } : {}),
    retryMode: "standard",
    maxAttempts: attempts,
    followRegionRedirects: true,
    // Uploads carry CRC32. Reads are checked by the archive's own digests: damage must show as damage,
    // not as a failure of the store.
    requestChecksumCalculation: "WHEN_SUPPORTED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // It would take a new connection for each part.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: connectMs,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: 256 },
      httpsAgent: { maxSockets: 256 },
    },
  });
}

/** Without it the SDK prints its warnings; it would also log each call with all its content. */
function sdkLogger(logger: Logger): NonNullable<S3ClientConfig["logger"]> {
  const warn = (warning: unknown) =>
    logger.debug("the AWS SDK warns", { warning: String(warning) });
  return { trace() {}, debug() {}, info() {}, warn, error() {} };
}
