import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import {
  createTestPlace,
  environment,
  finalState,
  type TestDaemon,
} from "../../support/daemon/daemons.ts";
import type { Held } from "../../support/trees/held.ts";
import { cannotHold, holdDirectory } from "../../support/trees/held-directory.ts";
import { holdFile } from "../../support/trees/held-file.ts";
import { versionIn, writeVersion } from "../../support/trees/versions.ts";

/** A daemon, and directories for a load that hangs. What it does meanwhile, it does until the release. */
async function createPlace(t: TestContext, graceSeconds = 0) {
  const place = await createTestPlace(t);
  const daemon = await place.startDaemon({ SHUTDOWN_GRACE_SECONDS: String(graceSeconds) });
  const { client } = daemon;
  const [source, target] = [join(place.allowed, "source"), join(place.allowed, "target")];
  writeVersion(source, 1);
  mkdirSync(target);
  const { cache } = await client.save({ environment, localDir: source, namespace: "stored" });
  const archive = join(place.store, "stored", cache?.filename ?? "");
  const startLoad = async (held: Held) => {
    const input = { environment, localDir: target, namespace: "stored", detach: true };
    const { transfer } = await client.load(input);
    await held.asked;
    return { id: transfer.operationId, held };
  };
  return {
    daemon,
    source,
    target,
    /** A load that hangs on the store, and one of its threads with it. */
    startHungOnStore: async () => startLoad(await holdFile(t, archive)),
    /** A load that hangs on the local directory, and a worker thread with it. */
    async startHungOnDirectory() {
      // Whatever has the marker's name is a marker; the load opens this one when it has done its work.
      const marker = join(target, ".compilecache-not-loaded");
      mkdirSync(marker);
      return startLoad(await holdDirectory(t, marker));
    },
  };
}

/** Requires that work was stopped by its signal, and not by a time-out that came in the end. */
function assertStoppedBySignal({ lines }: TestDaemon): void {
  const late = /did not answer within|failed as it was cancelled/;
  assert.deepEqual(
    lines.filter((line) => late.test(JSON.stringify(line))),
    [],
  );
}

describe("a daemon", () => {
  it("lets a load go that hangs on the store", async (t) => {
    const { daemon, startHungOnStore } = await createPlace(t);
    const { id, held } = await startHungOnStore();
    await daemon.client.cancelTransfer(id);
    assert.equal((await finalState(daemon.client, id)).status, "cancelled");
    assertStoppedBySignal(daemon);
    await held.release();
  });

  it("answers a cancel, and other calls, while a load hangs on the local directory", {
    skip: cannotHold,
  }, async (t) => {
    const { daemon, source, target, startHungOnDirectory } = await createPlace(t);
    const { client } = daemon;
    const { id, held } = await startHungOnDirectory();
    const { status, phase } = await client.cancelTransfer(id);
    assert.deepEqual([status, phase], ["in_progress", "committing"]);
    await client.getCacheInfo({ environment, localDir: source });
    await held.release();
    // A commit that has begun runs to its end.
    assert.equal((await finalState(client, id)).status, "success");
    assert.equal(versionIn(target), 1);
  });

  for (const where of ["store", "local directory"])
    it(`stops though a thread hangs on the ${where}`, {
      skip: where === "store" ? false : cannotHold,
    }, async (t) => {
      const { daemon, startHungOnStore, startHungOnDirectory } = await createPlace(t);
      const { held } = await (where === "store" ? startHungOnStore() : startHungOnDirectory());
      daemon.child.kill("SIGTERM");
      assert.equal((await daemon.ended).code, 0);
      // A thread that hangs in the kernel hears no signal; the store's gate does.
      if (where === "store") assertStoppedBySignal(daemon);
      await held.release();
    });

  it("stops at once at a second signal though a thread hangs", { skip: cannotHold }, async (t) => {
    const { daemon, startHungOnDirectory } = await createPlace(t, 600);
    const { held } = await startHungOnDirectory();
    daemon.child.kill("SIGTERM");
    await daemon.line("stopping");
    daemon.child.kill("SIGTERM");
    assert.equal((await daemon.ended).code, 1);
    await held.release();
  });
});
