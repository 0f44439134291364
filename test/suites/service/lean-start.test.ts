import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { startDaemonProcess } from "../../../fixtures/daemon-process.ts";
import { scratchDir } from "../../support/flow-bench.ts";

/** What a daemon over files has no use for before a call asks for it, and takes long to load. */
const needless = {
  "the AWS SDK": /node_modules\/@(aws-sdk|smithy)\//,
  "descriptors, for reflection": /reflection-answers|@bufbuild\/protobuf\/.*\/wkt\/gen\//,
  "a reader of .proto files": /proto-loader|grpc-health-check/,
  "Node's client for the web, with all that node:http exports": /undici/,
};

test("a daemon begins to listen without loading what only some calls need", async (t) => {
  const dir = scratchDir(t);
  const daemon = startDaemonProcess({
    nodeFlags: [`--import=${import.meta.resolve("../../support/loaded-modules.ts")}`],
    hasChannel: true,
    environment: {
      COMPILE_CACHE_LISTEN: `unix:${join(dir, "daemon.sock")}`,
      COMPILE_CACHE_STORE: `file://${join(dir, "store")}`,
      TORCH_CACHE_DIR: join(dir, "local"),
      // The channel would not survive the daemon's start of itself anew.
      MALLOC_ARENA_MAX: "2",
    },
  });
  t.after(() => daemon.end());
  await daemon.line("listening");
  daemon.child.send("what is loaded?");
  const [loaded] = (await once(daemon.child, "message")) as [string[]];
  assert.ok(loaded.some((url) => url.endsWith("/daemon.ts")));
  const found = Object.entries(needless).map(([what, pattern]) => [
    what,
    loaded.filter((url) => pattern.test(url)),
  ]);
  assert.deepEqual(Object.fromEntries(found), {
    "the AWS SDK": [],
    "descriptors, for reflection": [],
    "a reader of .proto files": [],
    "Node's client for the web, with all that node:http exports": [],
  });
});
