import { status as grpcStatus, Metadata } from "@grpc/grpc-js";
import { BadRequest, ErrorInfo } from "compilecache-client/gen/google/rpc/error_details.ts";
import { Status } from "compilecache-client/gen/google/rpc/status.ts";
import { type CacheError, type FieldViolation, toCacheError } from "../domain/cache-error.ts";

const domain = "compilecache";
// Clients accept 8 KiB of trailing metadata, which holds the message twice: percent-encoded, with up
// to three bytes for one, and in base64.
const longestMessageBytes = 800;
const longestViolationsBytes = 2000;

/** Text cut to so many bytes of UTF-8, and well-formed: grpc-js throws on a lone surrogate. */
function cut(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return encoded.toString();
  return `${encoded.subarray(0, bytes - 6).toString()}…`;
}

/** As many violations as fit, from the first on. */
function fitting(violations: readonly FieldViolation[]): FieldViolation[] {
  const kept: FieldViolation[] = [];
  let room = longestViolationsBytes;
  for (const violation of violations) {
    const field = cut(violation.field, 200);
    const description = cut(violation.description, 500);
    room -= Buffer.byteLength(field) + Buffer.byteLength(description);
    if (room < 0) break;
    kept.push({ field, description });
  }
  return kept;
}

function detailsOf(error: CacheError): Status["details"] {
  if (error.reason === "CANCELLED" || error.reason === "DEADLINE_EXCEEDED") return [];
  const info = ErrorInfo.fromPartial({ reason: error.reason, domain });
  const details = [
    {
      typeUrl: "type.googleapis.com/google.rpc.ErrorInfo",
      value: Buffer.from(ErrorInfo.encode(info).finish()),
    },
  ];
  if (error.violations.length > 0) {
    const badRequest = BadRequest.fromPartial({ fieldViolations: fitting(error.violations) });
    details.push({
      typeUrl: "type.googleapis.com/google.rpc.BadRequest",
      value: Buffer.from(BadRequest.encode(badRequest).finish()),
    });
  }
  return details;
}

/** The contract's form of an error: code, message, ErrorInfo and BadRequest. */
export function toStatus(error: CacheError): Status {
  return {
    code: grpcStatus[error.code],
    message: cut(error.message, longestMessageBytes),
    details: detailsOf(error),
  };
}

/** Anything thrown, as grpc-js sends it. An error that is no CacheError becomes INTERNAL. */
export function toServiceError(error: unknown): {
  code: number;
  details: string;
  metadata: Metadata;
} {
  const status = toStatus(toCacheError(error));
  const metadata = new Metadata();
  if (status.details.length > 0)
    metadata.set("grpc-status-details-bin", Buffer.from(Status.encode(status).finish()));
  return { code: status.code, details: status.message, metadata };
}
