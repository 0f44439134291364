import { CacheError, toCacheError } from "../../domain/cache-error.ts";
import type { S3Context } from "./context.ts";

/** An error of a call of the SDK. */
interface S3Failure {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const fullNames = ["XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded"];

/** The HTTP status of the store's answer; undefined if there was none. */
export function statusOf(error: unknown): number | undefined {
  return (error as Partial<S3Failure>).$metadata?.httpStatusCode;
}

/** A failure of a call as a CacheError. */
export function toS3Error(error: unknown, { url, bucket }: S3Context): CacheError {
  if (error instanceof CacheError) return error;
  const { name, message, code } = error as S3Failure;
  const status = statusOf(error);
  const unavailable = (what: string) =>
    new CacheError("STORE_UNAVAILABLE", `the store ${url} ${what}`, { cause: error });
  if (status === 507 || fullNames.includes(name))
    return new CacheError("INSUFFICIENT_SPACE", `the store ${url} is full`, { cause: error });
  if (name === "NoSuchBucket") return unavailable(`cannot be used: there is no bucket ${bucket}`);
  if (name === "CredentialsProviderError")
    return unavailable("cannot be used: no AWS credentials were found");
  if (message === "Region is missing")
    return unavailable("cannot be used: AWS_REGION names no region");
  if (status === 401 || status === 403)
    return unavailable(
      `refused the credentials (${name}): they must allow s3:GetObject, s3:PutObject, ` +
        "s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket",
    );
  if (status !== undefined) return unavailable(`failed: ${name} (${status})`);
  if (isNetworkFailure(error)) return unavailable(`cannot be reached: ${code ?? message}`);
  return toCacheError(error);
}

/** Runs a method of the store. Throws its failure as a CacheError, or the signal's reason. */
export async function withS3Errors<T>(
  context: S3Context,
  method: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  try {
    return await method();
  } catch (error) {
    signal?.throwIfAborted();
    throw toS3Error(error, context);
  }
}

/** Whether a call failed without an answer. */
export function isNetworkFailure(error: unknown): boolean {
  const { name, code = "" } = error as Partial<S3Failure>;
  return (
    name === "TimeoutError" ||
    (/^E[A-Z]/.test(code) && !code.startsWith("ERR_")) ||
    code === "ERR_STREAM_PREMATURE_CLOSE"
  );
}
