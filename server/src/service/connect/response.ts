import type { ServerResponse } from "node:http";
import { operationIdKey } from "../call-runner.ts";
import { envelope } from "./envelope.ts";

/** The form of an answer, and of a request for it. */
export const unaryType = "application/json";
/** The same where the answer is a stream of messages. */
export const streamType = "application/connect+json";

const endOfStream = 2;

/** Sends an answer, or an error, whole. */
export function send(response: ServerResponse, status: number, body: string | Buffer): void {
  if (response.closed) return;
  response.writeHead(status, {
    "content-type": unaryType,
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

/**
 * Says which transfer is waited for, before the answer comes: by a response of its own that is not the last
 * one, for the status of the last is not known yet. The last one says it again.
 */
export function announce(response: ServerResponse, operationId: string): void {
  if (response.closed) return;
  response.setHeader(operationIdKey, operationId);
  if (response.req.httpVersion !== "1.1") return;
  // Node.js writes such a response only where it has links.
  response.socket?.write(`HTTP/1.1 103 Early Hints\r\n${operationIdKey}: ${operationId}\r\n\r\n`);
}

/** Sends one message of a stream; resolves when it has left, or when the call has ended. */
export function sendMessage(
  response: ServerResponse,
  message: Buffer,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done, { once: true });
    if (!response.headersSent) response.setHeader("content-type", streamType);
    response.write(message, done);
  });
}

/** Ends a stream, with an error where there is one. */
export function endStream(response: ServerResponse, end: { readonly error?: object }): void {
  if (response.closed) return;
  if (!response.headersSent) response.setHeader("content-type", streamType);
  response.end(envelope(Buffer.from(JSON.stringify(end)), endOfStream));
}
