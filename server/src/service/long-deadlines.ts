import type { IncomingHttpHeaders } from "node:http2";
import type { Server } from "@grpc/grpc-js";

const timeoutHeader = "grpc-timeout";
/** Timers take no longer ones. */
const longestMs = 2 ** 31 - 1;
const msOfUnit = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 };

/** What a server of grpc-js does with each call, which its types keep private. */
interface StreamHandling {
  _streamHandler(interceptors: unknown, stream: unknown, headers: IncomingHttpHeaders): void;
}

/**
 * Has a server take a deadline of more than 24.8 days as none. grpc-js counts it in 32 bits, so that one of
 * 30 days has passed at once.
 */
export function takeLongDeadlinesAsNone(server: Server): void {
  const handling = server as unknown as StreamHandling;
  const handle = handling._streamHandler;
  handling._streamHandler = function (interceptors, stream, headers) {
    if (isTooLong(headers[timeoutHeader])) delete headers[timeoutHeader];
    handle.call(this, interceptors, stream, headers);
  };
}

function isTooLong(header: string | string[] | undefined): boolean {
  const [, number, unit] = /^(\d{1,8})\s*([HMSmun])$/.exec(String(header)) ?? [];
  return Number(number) * msOfUnit[unit as keyof typeof msOfUnit] > longestMs;
}
