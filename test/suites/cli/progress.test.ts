import assert from "node:assert/strict";
import { once } from "node:events";
import { it, type TestContext } from "node:test";
import { makeCache } from "../../../fixtures/make-cache.ts";
import { startCliOnTerminal } from "../../support/cli/run-cli.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";
import { FakeTransfer, fakeOperations } from "../../support/daemon/fake-operations.ts";
import { serve } from "../../support/daemon/served-operations.ts";
import { writeHugeFile } from "../../support/trees/huge-file.ts";

/** Starts a save of a directory, on a terminal. */
async function startSave(t: TestContext, fill: (localDir: string) => void) {
  const { address, localDir } = await startTestDaemon(t);
  fill(localDir);
  const args = ["save", "--torch", "2.11.0", "--dir", localDir, "--address", address];
  const running = startCliOnTerminal(args);
  t.after(() => running.child.kill("SIGKILL"));
  return running;
}

it("draws a bar on a terminal while a save runs", async (t) => {
  const { shown } = await startSave(t, writeHugeFile);
  await shown(/packing +\[[■ ]{23}\] \d+% {2}[\d.]+ [kMG]?B of 33\.3 GB {2}/);
});

it("has the result alone on the last line when the save has ended", async (t) => {
  const { ended } = await startSave(t, (localDir) => makeCache(localDir, { scale: 0.05 }));
  const { exitCode, stdout } = await ended;
  assert.equal(exitCode, 0, stdout);
  const lastLine = stdout.trimEnd().split("\n").at(-1);
  assert.match(lastLine ?? "", /saved \d{3} files \([\d.]+ MB\) as default/);
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
  await shown(/5 B of 20 B/);
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
