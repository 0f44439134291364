import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { socketTo } from "../../../../test/support/attack/peer.ts";
import { fakeOperations } from "../../../../test/support/daemon/fake-operations.ts";
import { ends } from "../../../../test/support/eventually.ts";
import { scratchDir } from "../../../../test/support/flow-bench.ts";
import { recordingLogger } from "../../../../test/support/recording-logger.ts";
import { createTurns } from "../../async/turns.ts";
import { createAudit } from "../audit.ts";
import { createConnections } from "../bounds/connections.ts";
import { createCallRunner } from "../call-runner.ts";
import { createConnectServer } from "./connect-server.ts";

/** Longer than this process may be kept from what has come, on a busy machine. */
const requestMs = 2_000;
const head = "POST /compilecache.v1.CacheService/ListCaches HTTP/1.1\r\nhost: daemon\r\n";
const type = "content-type: application/json\r\n";

/** Sends a text byte by byte, for much longer than a request may take. */
function drip(socket: Socket, text: string): void {
  let sent = 0;
  const timer = setInterval(() => socket.write(text[sent++ % text.length] ?? ""), 10);
  socket.once("close", () => clearInterval(timer));
}

it("closes a connection whose request does not come whole in time, however it dawdles", async (t) => {
  const logger = recordingLogger([]);
  const audit = createAudit(logger);
  const operations = fakeOperations({
    // An answer may take longer than a request.
    async listCaches() {
      await sleep(1.2 * requestMs);
      return { items: [], nextPageToken: "", currentCacheKey: undefined };
    },
  });
  const connections = createConnections(100, logger);
  const connect = createConnectServer({
    runner: createCallRunner({ operations, audit, logger }),
    identify: () => ({ name: "anyone", rules: [] }) as never,
    audit,
    connections,
    turns: createTurns(),
    requestMs,
  });
  const path = join(scratchDir(t), "daemon.sock");
  const server = createServer((socket) => {
    socket.on("error", () => {});
    connections.add(socket, () => connect.accept(socket));
  });
  server.listen(path);
  await once(server, "listening");
  t.after(() => {
    connect.stop();
    server.close();
  });

  const slow: Record<string, (socket: Socket) => void> = {
    "headers, byte by byte": (socket) => drip(socket, `${head}x: ${"v".repeat(10_000)}`),
    "headers that never end": (socket) => socket.write(`${head}x-`),
    "a body, byte by byte": (socket) => {
      socket.write(`${head}${type}content-length: 30000\r\n\r\n`);
      drip(socket, " ");
    },
    "chunks, byte by byte": (socket) => {
      socket.write(`${head}${type}transfer-encoding: chunked\r\n\r\n7530\r\n`);
      drip(socket, " ");
    },
    "a body that never comes": (socket) =>
      socket.write(`${head}${type}content-length: 30000\r\n\r\n`),
  };
  const closed = Object.entries(slow).map(async ([what, begin]) => {
    const socket = socketTo({ path }).resume();
    begin(socket);
    // What it was still sending may end in an error of its own.
    await ends(what, new Promise((resolve) => socket.once("close", resolve)));
  });
  const served = socketTo({ path });
  served.write(`${head}${type}content-length: 2\r\nconnection: close\r\n\r\n{}`);
  const answer = served.toArray();
  await Promise.all(closed);
  assert.match(Buffer.concat(await answer).toString(), /^HTTP\/1\.1 200 /);
});
