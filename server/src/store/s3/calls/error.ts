import { CacheError } from "../../../domain/cache-error.ts";
import { storeIsFull } from "../../store.ts";
import type { S3Context } from "./context.ts";

/** An HTTP answer, as the SDK holds it. */
export interface S3Answer {
  readonly statusCode: number;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** An error of a call of the SDK. */
interface S3Failure {
  readonly name: string;
  readonly message: string;
  /** Of the system, of TLS or of Node. */
  readonly code?: string;
  /** Of the answer's error document; undefined where it had none. */
  readonly Code?: string;
  /** The region that the document names. */
  readonly Region?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: S3Answer;
}

const fullNames = ["XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded"];

/** What servers say of credentials that were replaced or have run out; the last is versitygw's. */
const staleCodes = [
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidAccessKeyId",
  "InvalidToken",
  "SignatureDoesNotMatch",
  "TokenRefreshRequired",
  "XAdminUserNotFound",
];

const neededRights =
  "s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket";

/** Codes of a certificate that is not believed, and why. */
const distrusts: Record<string, string> = {
  CERT_HAS_EXPIRED: "it has expired, or this machine's clock is wrong",
  CERT_NOT_YET_VALID: "it is not valid yet, or this machine's clock is wrong",
  ERR_TLS_CERT_ALTNAME_INVALID: "it is another host's",
  DEPTH_ZERO_SELF_SIGNED_CERT: "name its CA in AWS_CA_BUNDLE",
  SELF_SIGNED_CERT_IN_CHAIN: "name its CA in AWS_CA_BUNDLE",
  UNABLE_TO_GET_ISSUER_CERT: "name its CA in AWS_CA_BUNDLE",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "name its CA in AWS_CA_BUNDLE",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "name its CA in AWS_CA_BUNDLE",
};

/** The HTTP status of the store's answer; undefined if there was none. */
export function statusOf(error: unknown): number | undefined {
  return (error as Partial<S3Failure>).$metadata?.httpStatusCode;
}

/** What a call answers; undefined where the store says 404, that it has nothing there. */
export async function ifThere<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** The answer that a call failed with; undefined if there was none. */
export function answerOf(error: unknown): S3Answer | undefined {
  return (error as Partial<S3Failure>).$response;
}

/** Whether the store said, in an error document of S3, that it has no such object. */
export function saysNoSuchKey(error: unknown): boolean {
  return statusOf(error) === 404 && (error as Partial<S3Failure>).Code === "NoSuchKey";
}

/** Whether the store said that others must take the place of the credentials. */
export function saysStaleCredentials(error: unknown): boolean {
  return staleCodes.includes((error as Partial<S3Failure>).Code ?? "");
}

/** A failure of a call as a CacheError: whatever it is, the store cannot be used, and why is said. */
export function toS3Error(error: unknown, context: S3Context): CacheError {
  if (error instanceof CacheError) return error;
  const failure = error as S3Failure;
  const { url } = context;
  if (statusOf(error) === 507 || fullNames.includes(failure.name)) return storeIsFull(url, error);
  const what = refusal(failure, context) ?? missing(failure) ?? unreachable(failure);
  return new CacheError("STORE_UNAVAILABLE", `the store ${url} ${what ?? unknown(failure)}`, {
    cause: error,
  });
}

/** What an HTTP error says, in words. */
function refusal(failure: S3Failure, { bucket, isAnonymous }: S3Context): string | undefined {
  const { name, Code, Region, $response } = failure;
  const status = statusOf(failure);
  if (status === undefined) return undefined;
  const headers = $response?.headers ?? {};
  if (name === "NoSuchBucket") return `cannot be used: there is no bucket ${bucket}`;
  if (name === "RequestTimeTooSkewed")
    return `refused a call (${name}): this machine's clock and the store's are too far apart`;
  const region = Region ?? headers["x-amz-bucket-region"];
  if (region && (status < 400 || name === "AuthorizationHeaderMalformed"))
    return `says that it is in another region (${name}): set AWS_REGION=${region}`;
  if (status < 400)
    return (
      `answered ${status} and points to ${JSON.stringify(headers.location ?? "nowhere")}: ` +
      "set AWS_REGION, or AWS_ENDPOINT_URL, to where the bucket is"
    );
  const type = headers["content-type"] ?? "";
  if (Code === undefined && /html|json|plain/.test(type))
    return (
      `answered ${status} (${type}) without an error of S3: ` +
      "this is not an S3 server, or something in between answers for it"
    );
  if (isAnonymous && (status === 401 || status === 403))
    return (
      `refused a call without credentials (${Code ?? status}): the bucket does not allow it to everybody, ` +
      "and COMPILE_CACHE_S3_ANONYMOUS is true"
    );
  if (status === 401 || status === 403 || saysStaleCredentials(failure))
    return `refused the credentials (${Code ?? status}): they must be valid, and allow ${neededRights}`;
  return `failed: ${name} (${status})`;
}

/** What the SDK lacked before it could call. */
function missing({ name, message }: S3Failure): string | undefined {
  if (name === "CredentialsProviderError")
    return (
      `cannot be used: no AWS credentials were found (${firstLine(message)}); ` +
      "for a public bucket set COMPILE_CACHE_S3_ANONYMOUS=true"
    );
  if (message === "Region is missing") return "cannot be used: AWS_REGION names no region";
  return undefined;
}

function unreachable(failure: S3Failure): string | undefined {
  const { code = "", message } = failure;
  const distrust = distrusts[code];
  if (distrust) return `cannot be reached: its certificate is not believed (${code}): ${distrust}`;
  if (code === "EPROTO" || code === "ERR_SSL_WRONG_VERSION_NUMBER")
    return `cannot be reached: it does not answer in TLS (${code}); is its endpoint http rather than https?`;
  if (code.startsWith("ERR_PROXY"))
    return `cannot be reached through the proxy that HTTPS_PROXY or HTTP_PROXY names: ${firstLine(message)}`;
  return isNetworkFailure(failure) ? `cannot be reached: ${code || message}` : undefined;
}

function unknown({ name, message }: S3Failure): string {
  return `cannot be used: ${name}: ${firstLine(message)}`;
}

function firstLine(message: string): string {
  return message.split("\n")[0]?.slice(0, 200) ?? "";
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
