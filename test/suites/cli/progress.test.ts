import assert from "node:assert/strict";
import { once } from "node:events";
import { it } from "node:test";
import { makeCache } from "../../../fixtures/make-cache.ts";
import { FakeTransfer, fakeOperations } from "../../support/fake-operations.ts";
import { serve } from "../../support/served-operations.ts";
import { startTestDaemon } from "../../support/test-daemon.ts";
import { startCliOnTerminal } from "./run-cli.ts";

it("draws a bar on a terminal while a save runs, and takes it away at the end", async (t) => {
  const { address, localDir } = await startTestDaemon(t);
  makeCache(localDir, { scale: 0.3 });
  const args = ["save", "--torch", "2.11.0", "--dir", localDir, "--address", address];
  const { ended } = startCliOnTerminal(args);
  const { exitCode, stdout } = await ended;
  assert.equal(exitCode, 0, stdout);
  const total = "of [\\d.]+ MB {2}[\\d,]+ of 3,\\d{3} files";
  assert.match(stdout, new RegExp(`packing +\\[[■ ]{30}\\] \\d+% {2}[\\d.]+ k?M?B ${total}`));
  const lastLine = stdout.trimEnd().split("\n").at(-1);
  assert.match(lastLine ?? "", /saved 3,\d{3} files \(\d+ MB\) as default/);
});

it("watches the transfer of its own call, and only until that call ends", async (t) => {
  const transfer = new FakeTransfer({ bytesDone: 5, bytesTotal: 20 });
  // As when the watch lags behind: it does not end by itself.
  transfer.watch = async function* (signal) {
    yield transfer.state;
    await once(signal, "abort");
  };
  const watched: string[] = [];
  const operations = fakeOperations({
    load: () => transfer,
    getTransfer(operationId) {
      watched.push(operationId);
      return transfer;
    },
  });
  const { address, lines } = await serve(t, operations);
  const args = ["load", "--torch", "2.11.0", "--dir", "/tmp", "--address", address];
  const { child, ended, shown } = startCliOnTerminal(args);
  t.after(() => child.kill("SIGKILL"));
  await shown("5 B of 20 B");
  const outcome = { kind: "LOAD", status: "SUCCESS" } as const;
  transfer.change({ status: "SUCCESS", phase: "DONE", filesDone: 7, outcome });
  const { exitCode, stdout } = await ended;
  assert.equal(exitCode, 0, stdout);
  assert.match(stdout.trimEnd().split("\n").at(-1) ?? "", /loaded 7 files/);
  assert.deepEqual(watched, [transfer.state.operationId]);
  // A call that the daemon did not expect would have failed on a bug.
  assert.deepEqual(
    lines.filter(({ level }) => level === "error"),
    [],
  );
});
