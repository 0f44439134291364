import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { TokenBucket } from "../token-bucket.ts";

/** The limits of a proxy; none by default. */
export interface Limits {
  /** Bytes a second of all answers together. */
  readonly bandwidth?: number;
  /** Requests a second; all others are answered with 503 SlowDown. */
  readonly requestsPerS?: number;
}

/** Requests so far, by operation, and the bytes of their bodies. */
export interface Traffic {
  readonly requests: Readonly<Record<string, number>>;
  readonly refused: number;
  readonly upBytes: number;
  readonly downBytes: number;
}

/** A proxy before an object store that counts requests and bytes, and can limit them. */
export interface LimitedProxy {
  readonly port: number;
  /** Sets the limits, none by default, and sets all counts to 0. */
  limit(limits?: Limits): void;
  traffic(): Traffic;
  close(): void;
}

/** How late a timer may be. */
const lateMs = 200;
const slowDown =
  '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>';

export async function startLimitedProxy(serverPort: number): Promise<LimitedProxy> {
  const agent = new Agent({ keepAlive: true });
  let limits: Limits = {};
  let admission: TokenBucket | undefined;
  let freeAt = 0;
  let requests: Record<string, number> = {};
  let counted = { refused: 0, upBytes: 0, downBytes: 0 };

  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (admission && !admission.take(performance.now() / 1000)) {
      counted.refused += 1;
      incoming.resume();
      outgoing.writeHead(503, { "Content-Type": "application/xml" }).end(slowDown);
      return;
    }
    const kind = kindOf(incoming);
    requests[kind] = (requests[kind] ?? 0) + 1;
    const { method, url, headers } = incoming;
    // The signature covers the host name, so it must stay as the client wrote it.
    const onward = request({
      host: "127.0.0.1",
      port: serverPort,
      method,
      path: url,
      headers,
      agent,
    });
    incoming.on("data", (chunk: Buffer) => {
      counted.upBytes += chunk.length;
    });
    incoming.pipe(onward);
    const [answer] = (await once(onward, "response")) as [IncomingMessage];
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    const inTurn = async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        counted.downBytes += chunk.length;
        if (limits.bandwidth) await turn(chunk.length, limits.bandwidth);
        yield chunk;
      }
    };
    await pipeline(answer, inTurn, outgoing);
  };
  /** Waits for the chunks before this one: all answers share one link. */
  const turn = async (bytes: number, bandwidth: number) => {
    const now = performance.now();
    // Timers fire late; the link catches up on at most this much.
    freeAt = Math.max(now - lateMs, freeAt) + (bytes / bandwidth) * 1000;
    if (freeAt > now) await sleep(freeAt - now);
  };

  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing).catch(() => outgoing.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    limit(next = {}) {
      limits = next;
      const { requestsPerS: rate } = next;
      admission = rate === undefined ? undefined : new TokenBucket(rate, rate);
      freeAt = performance.now();
      requests = {};
      counted = { refused: 0, upBytes: 0, downBytes: 0 };
    },
    traffic: () => ({ requests, ...counted }),
    close() {
      agent.destroy();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The S3 operation of a request, by its method and query. */
function kindOf({ method = "", url = "" }: IncomingMessage): string {
  const query = new URL(url, "http://host").searchParams;
  if (method === "GET" && query.has("uploads")) return "ListMultipartUploads";
  if (method === "GET" && query.has("list-type")) return "ListObjectsV2";
  if (method === "POST")
    return query.has("uploads") ? "CreateMultipartUpload" : "CompleteMultipartUpload";
  if (method === "PUT") return query.has("partNumber") ? "UploadPart" : "PutObject";
  if (method === "DELETE") return query.has("uploadId") ? "AbortMultipartUpload" : "DeleteObject";
  return method === "HEAD" ? "HeadObject" : "GetObject";
}
