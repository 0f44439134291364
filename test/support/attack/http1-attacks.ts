import type { Socket } from "node:net";
import type { Attack, Known } from "./attack.ts";
import { flood, socketTo } from "./peer.ts";

const service = "/compilecache.v1.CacheService";

interface Written {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: string;
}

/** A request of the Connect protocol as text, right unless told otherwise. */
function written({ method = "ListTransfers", headers = {}, body = "{}" }: Written = {}): string {
  const all = {
    host: "daemon",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${service}/${method} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

/** Connections that each do something, and are made again whenever the daemon has closed them. */
function again(count: number, act: (socket: Socket, known: Known) => void): Attack {
  return (target, known) => {
    let over = false;
    const opened = new Set<Socket>();
    const open = () => {
      if (over) return;
      const socket = socketTo(target);
      opened.add(socket);
      socket.once("close", () => {
        opened.delete(socket);
        setImmediate(open);
      });
      act(socket, known);
    };
    for (let n = 0; n < count; n++) open();
    return () => {
      over = true;
      for (const socket of opened) socket.destroy();
    };
  };
}

/** Sends a text, and takes what comes back. */
const says = (text: string | ((known: Known) => string)) => (socket: Socket, known: Known) => {
  socket.resume().write(typeof text === "string" ? text : text(known));
};

/** Sends a text, and then more of the same kind for as long as that is taken. */
const goesOn = (text: string, more: string) => (socket: Socket) => {
  socket.resume().write(text);
  const bytes = Buffer.from(more);
  flood(socket, () => bytes);
};

/** Sends a text byte by byte. */
const drips = (text: string, everyMs: number) => (socket: Socket) => {
  let sent = 0;
  const timer = setInterval(() => socket.write(text[sent++ % text.length] ?? ""), everyMs);
  socket.resume().once("close", () => clearInterval(timer));
};

const chunked = { "transfer-encoding": "chunked", "content-length": "" };
const withoutLength = written({ headers: chunked, body: "" }).replace("content-length: \r\n", "");
const chunk = `4000\r\n${" ".repeat(0x4000)}\r\n`;
const nested = (depth: number) =>
  `{"pageToken":${"[".repeat(depth)}${"]".repeat(depth)}}`.slice(0, 32 * 1024);

/** What a hostile client does by HTTP/1.1, where the daemon speaks the Connect protocol. */
export const http1Attacks: Readonly<Record<string, Attack>> = {
  "HTTP/1: headers byte by byte": again(300, drips(written(), 20)),
  "HTTP/1: headers that never end": again(
    600,
    says(`POST ${service}/Load HTTP/1.1\r\nhost: daemon\r\nx-`),
  ),
  "HTTP/1: more and more headers": again(
    50,
    goesOn(`POST ${service}/Load HTTP/1.1\r\nhost: daemon\r\n`, `x-a: ${"v".repeat(1000)}\r\n`),
  ),
  "HTTP/1: a header of any length": again(
    50,
    goesOn(`POST ${service}/Load HTTP/1.1\r\nx-a: `, "v".repeat(10_000)),
  ),
  "HTTP/1: a path of any length": again(50, goesOn("POST /", "v".repeat(10_000))),
  "HTTP/1: bodies byte by byte": again(
    300,
    drips(written({ headers: { "content-length": 30_000 } }), 20),
  ),
  "HTTP/1: bodies shorter than their length": again(
    600,
    says(written({ headers: { "content-length": 30_000 } })),
  ),
  "HTTP/1: bodies longer than their length": again(50, goesOn(written(), " ".repeat(10_000))),
  "HTTP/1: huge lengths": again(
    50,
    goesOn(written({ headers: { "content-length": 2 ** 40 } }), " ".repeat(10_000)),
  ),
  "HTTP/1: lengths that are none": again(
    50,
    says(written({ headers: { "content-length": "-1" } })),
  ),
  "HTTP/1: a length and chunks": again(
    50,
    goesOn(written({ headers: { "transfer-encoding": "chunked" } }), chunk),
  ),
  "HTTP/1: chunks that never end": again(50, goesOn(withoutLength, chunk)),
  "HTTP/1: chunks of nothing but extensions": again(
    50,
    goesOn(`${withoutLength}1;`, "x".repeat(10_000)),
  ),
  "HTTP/1: calls in a pipeline": again(50, goesOn(written(), written().repeat(50))),
  "HTTP/1: other types of content": again(
    50,
    says(written({ headers: { "content-type": "application/grpc" } })),
  ),
  "HTTP/1: truncated JSON": again(50, says(written({ body: '{"pageToken":"' }))),
  "HTTP/1: deep JSON": again(50, says(written({ body: nested(16_000) }))),
  "HTTP/1: deep JSON that never ends": again(50, says(written({ body: '{"a":'.repeat(6_000) }))),
  "HTTP/1: lists that are not read": again(200, (socket) => {
    socket.pause().write(written({ body: '{"includeFinished":true,"pageSize":1000}' }));
  }),
  "HTTP/1: watchers that never read": again(200, (socket, { operationId }) => {
    const message = JSON.stringify({ operationId });
    const length = Buffer.alloc(5);
    length.writeUInt32BE(message.length, 1);
    const headers = { "content-type": "application/connect+json" };
    const body = `${length.toString("latin1")}${message}`;
    socket.pause().write(written({ method: "WatchTransfer", headers, body }), "latin1");
  }),
};
