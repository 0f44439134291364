import { request as httpRequest, type IncomingMessage } from "node:http";
import { targetOf } from "../attack/peer.ts";

/** What a call by the Connect protocol came to. */
export interface ConnectAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  /** The body of an answer in JSON. */
  json(): Record<string, unknown>;
  /** The messages of a stream, the last of which says how it ended. */
  messages(): { flags: number; message: Record<string, unknown> }[];
}

/** A call that was sent. */
export interface ConnectCall {
  /** Headers that were told before the answer. */
  readonly early: Promise<Record<string, string>>;
  readonly answer: Promise<ConnectAnswer>;
  /** Leaves. */
  leave(): void;
}

/** Options of a call; by default a POST in JSON. */
export interface ConnectOptions {
  readonly verb?: string;
  readonly headers?: Record<string, string>;
}

/** Calls `CacheService` at the socket of a daemon. A body that is no text is sent as JSON. */
export function connectCall(
  address: string,
  method: string,
  body: unknown = {},
  { verb = "POST", headers = {} }: ConnectOptions = {},
): ConnectCall {
  const early = Promise.withResolvers<Record<string, string>>();
  const answer = Promise.withResolvers<ConnectAnswer>();
  const target = targetOf(address);
  const request = httpRequest({
    ...("path" in target ? { socketPath: target.path } : target),
    path: `/compilecache.v1.CacheService/${method}`,
    method: verb,
    headers: { "content-type": "application/json", ...headers },
  });
  request.on("information", ({ headers }) => early.resolve(headers as Record<string, string>));
  request.on("error", answer.reject);
  request.on("response", async (response) => {
    try {
      const all = Buffer.concat(await response.toArray());
      answer.resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: all,
        json: () => JSON.parse(all.toString()),
        messages: () => [...messagesIn(all)],
      });
    } catch (error) {
      answer.reject(error);
    }
  });
  const isRaw = typeof body === "string" || Buffer.isBuffer(body);
  request.end(isRaw ? body : JSON.stringify(body));
  return { early: early.promise, answer: answer.promise, leave: () => request.destroy() };
}

/** A message in its envelope, as a stream's request is. */
export function enveloped(message: object): Buffer {
  const bytes = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function* messagesIn(body: Buffer) {
  for (let at = 0; at < body.length; ) {
    const length = body.readUInt32BE(at + 1);
    const message = JSON.parse(body.toString("utf8", at + 5, at + 5 + length));
    yield { flags: body.readUInt8(at), message };
    at += 5 + length;
  }
}
