import { BadRequest, ErrorInfo } from "compilecache-client/gen/google/rpc/error_details.ts";
import type { Status } from "compilecache-client/gen/google/rpc/status.ts";
import type { CacheError, Code } from "../../domain/cache-error.ts";
import { toStatus } from "../status.ts";

/** The status of HTTP that the Connect protocol gives each code. */
const httpStatusOf: Readonly<Record<Code, number>> = {
  INVALID_ARGUMENT: 400,
  PERMISSION_DENIED: 403,
  UNAUTHENTICATED: 401,
  NOT_FOUND: 404,
  DATA_LOSS: 500,
  FAILED_PRECONDITION: 400,
  RESOURCE_EXHAUSTED: 429,
  UNAVAILABLE: 503,
  CANCELLED: 499,
  DEADLINE_EXCEEDED: 504,
  INTERNAL: 500,
};

const typePrefix = "type.googleapis.com/";
const readable: Readonly<Record<string, (bytes: Uint8Array) => object>> = {
  "google.rpc.ErrorInfo": (bytes) => ErrorInfo.toJSON(ErrorInfo.decode(bytes)) as object,
  "google.rpc.BadRequest": (bytes) => BadRequest.toJSON(BadRequest.decode(bytes)) as object,
};

/** The status of HTTP for an error. */
export function httpStatus({ code }: CacheError): number {
  return httpStatusOf[code];
}

/** An error as the Connect protocol writes it; each detail is there in JSON, too. */
export function connectError(error: CacheError): object {
  const { message, details } = toStatus(error);
  const code = error.code === "CANCELLED" ? "canceled" : error.code.toLowerCase();
  return {
    code,
    message,
    details: details.map(({ typeUrl, value }) => {
      const type = typeUrl.slice(typePrefix.length);
      const base64 = Buffer.from(value).toString("base64").replace(/=+$/, "");
      return { type, value: base64, debug: readable[type]?.(value) };
    }),
  };
}

/** A `google.rpc.Status` as JSON: the generated code leaves its details in their binary form. */
export function statusJson({ code, message, details }: Status): object {
  return {
    code,
    message,
    details: details.map(({ typeUrl, value }) => ({
      "@type": typeUrl,
      ...readable[typeUrl.slice(typePrefix.length)]?.(value),
    })),
  };
}
