import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { createTlsServer } from "./tls-server.ts";

const certificates = join(import.meta.dirname, "../../../test/vectors/tls");

test("a handshake is given up that takes too long, a byte at a time", async (t) => {
  const files = { certificate: `${certificates}/server.crt`, key: `${certificates}/server.key` };
  const begin = (_connection: unknown, proceed: () => void) => proceed();
  const ready = () => assert.fail("nobody has proven anything");
  const { server } = createTlsServer(files, { begin, ready, refused: ready }, 300);
  server.listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  // The beginning of a handshake of 16 KiB.
  client.write(Buffer.from([22, 3, 1, 64, 0, 1]));
  const trickle = setInterval(() => client.write(Buffer.of(0)), 30);
  t.after(() => {
    clearInterval(trickle);
    client.destroy();
  });
  client.on("error", () => {}).resume();
  // `once` would take the reset that may come first for a failure.
  await new Promise((resolve) => client.once("close", resolve));
});
