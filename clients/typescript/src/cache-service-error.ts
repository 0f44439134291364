import { status as grpcCodes, Metadata, type ServiceError } from "@grpc/grpc-js";
import { BadRequest, ErrorInfo } from "../gen/google/rpc/error_details.ts";
import { Status } from "../gen/google/rpc/status.ts";

/** The canonical gRPC codes, without OK. */
export type ErrorCode =
  | "CANCELLED"
  | "UNKNOWN"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

/**
 * The reasons that the service is known to give; a newer daemon may give others. CANCELLED and
 * DEADLINE_EXCEEDED also come from the client itself, for a call that ended here.
 */
export type ErrorReason =
  | "INVALID_REQUEST"
  | "PATH_NOT_ALLOWED"
  | "UNAUTHENTICATED"
  | "FORBIDDEN"
  | "TRANSFER_NOT_FOUND"
  | "CACHE_NOT_FOUND"
  | "ARCHIVE_CORRUPT"
  | "ARCHIVE_UNSAFE"
  | "ARCHIVE_UNSUPPORTED"
  | "ARCHIVE_UNTRUSTED"
  | "INSUFFICIENT_SPACE"
  | "CACHE_TOO_LARGE"
  | "OVERLOADED"
  | "STORE_UNAVAILABLE"
  | "LOCAL_UNAVAILABLE"
  | "SHUTTING_DOWN"
  | "CANCELLED"
  | "DEADLINE_EXCEEDED"
  | "INTERNAL"
  | (string & {});

/** One field of a request that is wrong: its path in the request (`environment.torchVersion`), and what would be right. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

interface ErrorParts {
  readonly code: ErrorCode;
  readonly reason?: ErrorReason | undefined;
  readonly message: string;
  readonly violations?: readonly FieldViolation[];
}

/** The error of every failed call, and of a failed transfer. */
export class CacheServiceError extends Error {
  override readonly name = "CacheServiceError";
  readonly code: ErrorCode;
  /** The service's name for what went wrong. Undefined where no daemon answered, or the client is closed. */
  readonly reason: ErrorReason | undefined;
  /** With INVALID_REQUEST: each field that is wrong. */
  readonly violations: readonly FieldViolation[];

  constructor(parts: ErrorParts, options?: { cause?: unknown }) {
    super(parts.message, options);
    this.code = parts.code;
    this.reason = parts.reason;
    this.violations = parts.violations ?? [];
  }

  toJSON(): ErrorParts {
    const { code, reason, message, violations } = this;
    return { code, reason, message, violations };
  }
}

/**
 * The error for a request that this client itself refuses, for one field.
 * @internal
 */
export function invalidRequest(field: string, description: string): CacheServiceError {
  return invalidRequests([{ field, description }]);
}

/**
 * The same for each field that is wrong.
 * @internal
 */
export function invalidRequests(violations: readonly FieldViolation[]): CacheServiceError {
  return new CacheServiceError({
    code: "INVALID_ARGUMENT",
    reason: "INVALID_REQUEST",
    message: violations.map(({ field, description }) => `${field}: ${description}`).join("; "),
    violations,
  });
}

/**
 * The error for a call that the caller ended: DEADLINE_EXCEEDED by `AbortSignal.timeout`, else CANCELLED.
 * @internal
 */
export function endedBySignal({ reason: cause }: AbortSignal): CacheServiceError {
  const isTimeout = (cause as { name?: unknown } | null)?.name === "TimeoutError";
  const code = isTimeout ? "DEADLINE_EXCEEDED" : "CANCELLED";
  const message = isTimeout ? "the signal of the call timed out" : "the caller cancelled the call";
  return new CacheServiceError({ code, reason: code, message }, { cause });
}

/**
 * The error for a call after `close`.
 * @internal
 */
export function clientIsClosed(): CacheServiceError {
  const message = "this client is closed; create another one for further calls";
  return new CacheServiceError({ code: "FAILED_PRECONDITION", message });
}

/**
 * The error that a `google.rpc.Status` describes.
 * @internal
 */
export function errorFromStatus(status: Status, cause?: unknown): CacheServiceError {
  let reason: string | undefined;
  let violations: readonly FieldViolation[] = [];
  for (const { typeUrl, value } of status.details) {
    if (typeUrl.endsWith("/google.rpc.ErrorInfo")) reason = ErrorInfo.decode(value).reason;
    if (typeUrl.endsWith("/google.rpc.BadRequest"))
      violations = BadRequest.decode(value).fieldViolations.map(({ field, description }) => ({
        field: inCamelCase(field),
        description,
      }));
  }
  const code = codeName(status.code);
  reason ??= endingReason(code);
  return new CacheServiceError(
    { code, reason, message: status.message, violations },
    cause === undefined ? undefined : { cause },
  );
}

/** `environment.torchVersion` for `environment.torch_version`: fields as requests of this client name them. */
function inCamelCase(field: string): string {
  // Names of labels, in quotes, stay.
  return field.replace(
    /("(?:[^"\\]|\\.)*")|_([a-z])/g,
    (_, quoted?: string, letter = "") => quoted ?? letter.toUpperCase(),
  );
}

/**
 * The error for anything that a call threw. Where no daemon answered, it names the address, and gives the
 * advice.
 * @internal
 */
export function toCacheServiceError(
  error: unknown,
  address: string,
  advice?: string,
): CacheServiceError {
  if (error instanceof CacheServiceError) return error;
  if (!isServiceError(error))
    return new CacheServiceError({ code: "UNKNOWN", message: String(error) }, { cause: error });
  const status = error.metadata.get("grpc-status-details-bin")[0];
  if (status instanceof Uint8Array)
    return withWhatHelps(errorFromStatus(Status.decode(status), error), address);
  const code = codeName(error.code);
  const details = knownDetails(withoutGrpcWords(error.details), code, address);
  // Something that answers otherwise is there.
  const isAbsent = /\b(ENOENT|ECONNREFUSED)\b/.test(details);
  const noDaemon = () =>
    [noAnswer(address, details), isAbsent && advice].filter(Boolean).join("\n");
  const message = code === "UNAVAILABLE" ? noDaemon() : details;
  return new CacheServiceError({ code, reason: endingReason(code), message }, { cause: error });
}

/** Why each address could not be reached the last time. */
const lastFailures = new Map<string, string>();

/** gRPC has no words for a call that comes just after another client's of this process failed: it waits to try again. */
function knownDetails(details: string, code: ErrorCode, address: string): string {
  if (code !== "UNAVAILABLE") return details;
  if (details === "null")
    return lastFailures.get(address) ?? "it could not be reached a moment ago";
  lastFailures.set(address, details);
  return details;
}

/** The reason that follows from a code: two are the same whoever ended the call. Of others, only a daemon knows it. */
function endingReason(code: ErrorCode): ErrorReason | undefined {
  return code === "CANCELLED" || code === "DEADLINE_EXCEEDED" ? code : undefined;
}

/** Adds to the daemon's words what its client knows, who cannot know this client's options. */
function withWhatHelps(error: CacheServiceError, address: string): CacheServiceError {
  const { code, reason, violations, cause } = error;
  const message = [
    error.message,
    // Which directories are allowed is a matter of which daemon is asked.
    reason === "PATH_NOT_ALLOWED" && ` (the daemon at ${address})`,
    reason === "UNAUTHENTICATED" &&
      "; what is sent is COMPILE_CACHE_TOKEN, or the option token of a client in code",
  ];
  const words = message.filter(Boolean).join("");
  return new CacheServiceError({ code, reason, message: words, violations }, { cause });
}

/** What a failure to connect means, and what would be right. */
const reasons = [
  {
    said: /EACCES/,
    means: "only the user and the group of this socket may connect, and this process is neither",
  },
  {
    said: /ALTNAME|altnames/,
    means:
      "its certificate has other names; connect by one of them, or say which it has (COMPILE_CACHE_TLS_NAME)",
  },
  { said: /expired|not yet valid/i, means: "its certificate is not valid at this time" },
  {
    said: /self-signed|self signed|unable to (verify|get)|ISSUER|UNABLE_TO/i,
    means:
      "its certificate is signed by none that is trusted here; name the file of who signed it " +
      "(COMPILE_CACHE_TLS_CA), or COMPILE_CACHE_TLS_CA=system if this machine trusts that one",
  },
  {
    said: /wrong version number|packet length too long|ERR_SSL_WRONG|EPROTO.*(version|http)/i,
    means: "it speaks no TLS; leave COMPILE_CACHE_TLS_CA out, or name a port that has TLS",
  },
  {
    said: /certificate required|handshake failure|bad certificate|unknown ca/i,
    means:
      "it wants a certificate of the caller, of those that it trusts (COMPILE_CACHE_TLS_CERT and COMPILE_CACHE_TLS_KEY)",
  },
];

function noAnswer(address: string, details: string): string {
  // It took the call: whether the call did anything is not known.
  if (/^Connection dropped|\bECONNRESET\b/.test(details))
    return `the daemon at ${address} went away during the call, or is cut off: ${details}`;
  const known = reasons.find(({ said }) => said.test(details));
  const isSilent = /^Failed to connect/.test(details) && !/^unix/.test(address);
  const why = known
    ? `${known.means} (${details})`
    : isSilent
      ? "it closes connections; where it wants TLS, give the certificates to trust (COMPILE_CACHE_TLS_CA)"
      : details;
  return `no daemon answers at ${address}: ${why}`;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "metadata" in error && error.metadata instanceof Metadata;
}

function codeName(code: number): ErrorCode {
  const name = grpcCodes[code];
  return name === undefined || name === "OK" ? "UNKNOWN" : (name as ErrorCode);
}

/**
 * `connect ENOENT /x` from `No connection established. Last error: Error: connect ENOENT /x. ...`, and
 * `Deadline exceeded after 0.2s` without where the time went.
 */
function withoutGrpcWords(details: string): string {
  return (
    details
      .replace(/^No connection established\. Last error: (Error: )?/, "")
      .replace(/\.? Resolution note: $/, "")
      // An option of Node, which is ours to set.
      .replace(
        /; if the root CA is installed locally, try running Node\.js with --use-system-ca/,
        "",
      )
      // Where and when OpenSSL found it.
      .replace(/[0-9A-F]+:error:[0-9A-F]+:SSL routines:\w*:([^:]*):[^\n]*\n/g, "$1")
      .replace(/ ?\(\d{4}-[\d-]+T[\d:.]+Z\)$/, "")
      .replace(/^(Deadline exceeded after [\d.]+s),.*$/, "$1")
  );
}
