import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { credentials, makeClientConstructor } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { call, connect, failureOf, tempDir } from "../../support/client/service-client.ts";
import {
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";
import { spawnServe } from "../../support/daemon/serve-process.ts";
import { holdFile } from "../../support/trees/held-file.ts";
import { writeHugeFile } from "../../support/trees/huge-file.ts";

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

  test("comes at once with a second signal", async (t) => {
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
    daemon.child.kill("SIGTERM");
    assert.equal((await daemon.ended).code, 1);
  });
});
