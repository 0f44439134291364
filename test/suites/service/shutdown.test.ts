import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { describe, test } from "node:test";
import { credentials, makeClientConstructor } from "@grpc/grpc-js";
import { readDaemonState } from "compilecache-client/daemons";
import { service as healthService } from "grpc-health-check";
import { launcher } from "../../../fixtures/daemon-process.ts";
import { call, connect, failureOf, tempDir } from "../../support/client/service-client.ts";
import {
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";
import { spawnServe } from "../../support/daemon/serve-process.ts";
import { eventually } from "../../support/eventually.ts";
import { holdFile } from "../../support/trees/held-file.ts";
import { writeHugeFile } from "../../support/trees/huge-file.ts";

/** What `compilecache status` prints of a daemon, and its exit code. */
function statusAt(address: string): Promise<{ code: unknown; stdout: string }> {
  const words = [launcher, "status", "--json", "--address", address];
  return new Promise((resolve) =>
    execFile(process.execPath, words, (error, stdout) =>
      resolve({ code: error?.code ?? 0, stdout }),
    ),
  );
}

describe("stopping", () => {
  test("gives a running transfer its grace period, and takes no new work", async (t) => {
    const { client, daemon, archive, localDir, dir } = await startTestDaemon(t, {
      shutdownGraceMs: "600",
    });
    writeFiles(localDir, 1);
    await call(client, "save", { environment });
    const held = await holdFile(t, archive);
    const saving = call(client, "save", { environment });
    await held.asked;
    const stopped = daemon.stop();
    const refused = await failureOf(
      call(client, "load", { environment, localDir: `${dir}/other` }),
    );
    assert.deepEqual([refused.code, refused.info?.reason], [14, "SHUTTING_DOWN"]);
    await held.release();
    const { transfer } = await saving;
    assert.equal(transfer?.status, 3);
    await stopped;
  });

  test("cancels what outlives the grace period, and tells its watchers and waiters", async (t) => {
    const { client, daemon, localDir } = await startTestDaemon(t);
    writeHugeFile(localDir);
    const { promise: started, resolve: onStarted } = Promise.withResolvers<string>();
    const saving = failureOf(call(client, "save", { environment }, { onStarted }));
    const watch = client.watchTransfer({ operationId: await started });
    const seen = watch.toArray();
    await once(watch, "metadata");
    await daemon.stop();
    assert.equal((await saving).code, 1);
    assert.equal((await seen).at(-1)?.transfer.status, 6);
  });

  test("does not wait for streams that never end", async (t) => {
    const { address, daemon } = await startTestDaemon(t);
    const Health = makeClientConstructor(healthService, "Health");
    const health = new Health(address, credentials.createInsecure());
    t.after(() => health.close());
    const statuses: string[] = [];
    const stream = health.Watch?.({ service: "" });
    stream.on("data", ({ status }: { status: string }) => statuses.push(status));
    const broken = new Promise((resolve) => stream.on("error", resolve));
    await new Promise((resolve) => stream.once("data", resolve));
    await daemon.stop();
    await broken;
    assert.deepEqual(statuses, ["SERVING", "NOT_SERVING"]);
  });

  test("is told by status while transfers are finished, and comes at once with a second signal", async (t) => {
    const dir = await tempDir(t);
    const address = `unix:${dir}/daemon.sock`;
    const daemon = spawnServe(t, ["--listen", address], {
      TORCH_CACHE_DIR: `${dir}/local`,
      B10FS_CACHE_DIR: `${dir}/store`,
      SHUTDOWN_GRACE_SECONDS: "600",
    });
    await daemon.line("listening");
    writeHugeFile(`${dir}/local`);
    await call(connect(t, address), "save", { environment, detach: true });
    daemon.child.kill("SIGTERM");
    await daemon.line("stopping");
    const state = () => readDaemonState(`${dir}/daemon.sock`);
    await eventually("word of the stop", () => state()?.stopping_since !== undefined);
    // One that takes no work is none that serves: the exit code says so.
    const { code, stdout } = await statusAt(address);
    const [told] = JSON.parse(stdout).daemons;
    assert.deepEqual([code, told.state, told.transfers], [4, "stopping", 1]);
    daemon.child.kill("SIGTERM");
    assert.equal((await daemon.ended).code, 1);
  });
});
