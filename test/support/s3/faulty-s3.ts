import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { operationOf } from "./scripted-s3.ts";

/** A call as it passes. */
export interface PassingCall {
  /** As S3 names it. */
  readonly operation: string;
  readonly key: string;
  readonly bucket: string;
}

/** A whole answer. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** How it ends: whole (the default), or with the connection broken after so many bytes. */
  readonly brokenAfter?: number;
  /** How long it stops in the middle, in milliseconds. */
  readonly stopsMs?: number;
}

/** One way to answer wrongly. */
export interface AnswerFault {
  readonly name: string;
  /** Whether the server is asked at all; where it is not, `wrong` gets an empty answer with status 200. */
  readonly asksServer: boolean;
  /** What the caller gets; undefined breaks the connection without a word, `right` where it does not fit. */
  wrong(right: RawAnswer, call: PassingCall): RawAnswer | undefined;
}

/** A proxy before an object server that answers some calls wrongly. */
export interface FaultyS3 {
  readonly endpoint: string;
  /** All calls so far. */
  readonly calls: PassingCall[];
  /** Decides which calls are answered wrongly, and how. */
  script: (call: PassingCall) => AnswerFault | undefined;
}

/** What tells when to clean up: a test. */
interface Lifetime {
  after(tidy: () => void | Promise<void>): void;
}

/** Puts a proxy before a server's port; it ends with the test. */
export async function startFaultyS3(t: Lifetime, serverPort: number): Promise<FaultyS3> {
  const server = createServer((call, response) => {
    pass(faulty, serverPort, call, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const faulty: FaultyS3 = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: [],
    script: () => undefined,
  };
  return faulty;
}

const nothing: RawAnswer = { status: 200, headers: {}, body: Buffer.alloc(0) };

async function pass(
  faulty: FaultyS3,
  port: number,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const content = await buffer(incoming);
  const { method = "", url = "", headers } = incoming;
  const { pathname, searchParams } = new URL(url, faulty.endpoint);
  const [, bucket = "", ...rest] = decodeURIComponent(pathname).split("/");
  const operation = operationOf(method, searchParams, headers);
  const call = { operation, key: rest.join("/"), bucket };
  faulty.calls.push(call);
  const fault = faulty.script(call);
  const right = fault?.asksServer === false ? nothing : await ask(port, incoming, content);
  const answer = fault ? fault.wrong(right, call) : right;
  if (!answer) response.destroy();
  else await send(response, answer, method === "HEAD");
}

async function ask(
  port: number,
  { method, url: path, headers }: IncomingMessage,
  content: Buffer,
): Promise<RawAnswer> {
  const onward = request({ host: "127.0.0.1", port, method, path, headers });
  // A server that answers early may break the connection on what is still being sent.
  onward.on("error", () => {});
  onward.end(content);
  const [answer] = (await once(onward, "response")) as [IncomingMessage];
  const body = await buffer(answer);
  const passed = Object.entries(answer.headers).filter(
    ([name]) => !["connection", "keep-alive", "transfer-encoding"].includes(name),
  );
  return {
    status: answer.statusCode ?? 502,
    headers: {
      ...(method === "HEAD" ? {} : { "content-length": `${body.length}` }),
      ...(Object.fromEntries(passed) as Record<string, string>),
    },
    body,
  };
}

async function send(response: ServerResponse, answer: RawAnswer, isHead: boolean): Promise<void> {
  const { status, headers, body, brokenAfter, stopsMs } = answer;
  // The caller may have gone.
  response.on("error", () => {});
  response.writeHead(status, headers);
  if (isHead) {
    response.end();
    return;
  }
  if (brokenAfter !== undefined) {
    response.write(body.subarray(0, brokenAfter), () => response.destroy());
    return;
  }
  if (stopsMs !== undefined) {
    response.write(body.subarray(0, body.length / 2));
    await sleep(stopsMs);
    response.end(body.subarray(body.length / 2));
    return;
  }
  response.end(body);
}
