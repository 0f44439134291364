import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import type { Logger } from "../../domain/logger.ts";

/** A region must be named to sign with; servers other than AWS hardly ever care which. */
const regionElsewhere = "us-east-1";

const connectMs = 3_000;
const attempts = 5;

/** A server, where it is not the one that the environment names. */
export type S3Server = Pick<S3ClientConfig, "endpoint" | "credentials">;

/**
 * A client that takes endpoint, region and credentials from where the AWS SDK takes them: environment
 * variables, profiles, roles. A server that AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3 names is called
 * with the bucket in the path, for its host name seldom has one for each bucket.
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
    // Uploads carry CRC32. What is read, the archive's own digests judge: damage must be seen as
    // damage, not as a store that fails.
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

/** The SDK would print its warnings, and tell every call with all that it carries. */
function sdkLogger(logger: Logger): NonNullable<S3ClientConfig["logger"]> {
  const warn = (warning: unknown) =>
    logger.debug("the AWS SDK warns", { warning: String(warning) });
  return { trace() {}, debug() {}, info() {}, warn, error() {} };
}
