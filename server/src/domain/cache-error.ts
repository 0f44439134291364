import { harmless } from "./harmless-text.ts";

/**
 * Why an operation failed, in words that a client can act on. Each reason belongs to one canonical
 * code; the service layer turns both into a gRPC status.
 */
export const codeOfReason = {
  INVALID_REQUEST: "INVALID_ARGUMENT",
  PATH_NOT_ALLOWED: "PERMISSION_DENIED",
  UNAUTHENTICATED: "UNAUTHENTICATED",
  FORBIDDEN: "PERMISSION_DENIED",
  TRANSFER_NOT_FOUND: "NOT_FOUND",
  CACHE_NOT_FOUND: "NOT_FOUND",
  ARCHIVE_CORRUPT: "DATA_LOSS",
  ARCHIVE_UNSAFE: "DATA_LOSS",
  ARCHIVE_UNSUPPORTED: "FAILED_PRECONDITION",
  ARCHIVE_UNTRUSTED: "FAILED_PRECONDITION",
  INSUFFICIENT_SPACE: "RESOURCE_EXHAUSTED",
  CACHE_TOO_LARGE: "RESOURCE_EXHAUSTED",
  OVERLOADED: "RESOURCE_EXHAUSTED",
  STORE_UNAVAILABLE: "UNAVAILABLE",
  LOCAL_UNAVAILABLE: "UNAVAILABLE",
  SHUTTING_DOWN: "UNAVAILABLE",
  CANCELLED: "CANCELLED",
  DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
  INTERNAL: "INTERNAL",
} as const;

export type Reason = keyof typeof codeOfReason;
export type Code = (typeof codeOfReason)[Reason];

/** One field of a request that is wrong: its path in the request, and what would be right. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/**
 * The one error that crosses layers. Its message is for the user, and may hold names of files as they
 * are: what a terminal would obey is escaped, and 4,000 characters are enough. The cause is for the log.
 */
export class CacheError extends Error {
  override readonly name = "CacheError";
  readonly reason: Reason;
  readonly violations: readonly FieldViolation[];
  /**
   * Whether a digest or a length that an archive states itself proves that it is damaged. Only such an
   * archive may be set aside; one that is merely refused stays where it is.
   */
  readonly provesDamage: boolean;

  constructor(
    reason: Reason,
    message: string,
    options: {
      cause?: unknown;
      violations?: readonly FieldViolation[];
      provesDamage?: boolean;
    } = {},
  ) {
    super(harmless(shortened(message)), "cause" in options ? { cause: options.cause } : undefined);
    this.reason = reason;
    this.violations = (options.violations ?? []).map(({ field, description }) => ({
      field,
      description: harmless(shortened(description)),
    }));
    this.provesDamage = options.provesDamage ?? false;
  }

  get code(): Code {
    return codeOfReason[this.reason];
  }
}

const longestMessage = 4_000;

/** A text without its middle where it is too long: what comes last says what becomes of it. */
function shortened(text: string): string {
  if (text.length <= longestMessage) return text;
  const half = longestMessage / 2;
  return `${text.slice(0, half)} ... ${text.slice(-half)}`;
}

/** The error for a malformed request. */
export function invalidRequest(violations: readonly FieldViolation[]): CacheError {
  const message = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  return new CacheError("INVALID_REQUEST", message, { violations });
}

/** The error for one malformed field of a request. */
export function invalidField(field: string, description: string): CacheError {
  return invalidRequest([{ field, description }]);
}

/** Anything thrown, as a CacheError: an unknown error is a bug, and its text stays in the cause. */
export function toCacheError(error: unknown): CacheError {
  if (error instanceof CacheError) return error;
  return new CacheError("INTERNAL", "internal error; the daemon's log has the cause", {
    cause: error,
  });
}
