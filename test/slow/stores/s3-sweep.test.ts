import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createTestPlace, environment } from "../../support/daemon/daemons.ts";
import { lacksTools } from "../../support/machine/tools.ts";
import {
  ageLeftovers,
  countUploads,
  listKeys,
  probeKeys,
} from "../../support/s3/bucket-content.ts";
import { isCommit, isProbeRemoval, startHoldingProxy } from "../../support/s3/holding-proxy.ts";
import { startTestObjectServer } from "../../support/s3/object-server.ts";
import { writeLargeVersion } from "../../support/trees/large-versions.ts";

it("what killed daemons leave in a bucket is removed once it is a day old", {
  skip: lacksTools("versitygw") ?? false,
}, async (t) => {
  const place = await createTestPlace(t);
  const server = await startTestObjectServer(t, "versitygw");
  const proxy = await startHoldingProxy(t, server.port);
  const start = () => place.startDaemon(server.variables("here", proxy.endpoint));
  const source = join(place.allowed, "source");
  writeLargeVersion(source, 1);

  const removal = proxy.hold(isProbeRemoval, "call");
  const prober = await start();
  await removal.reached;
  prober.child.kill("SIGKILL");
  const commit = proxy.hold(isCommit, "call");
  const saver = await start();
  const save = saver.client.save({ environment, localDir: source });
  await Promise.all([assert.rejects(save), commit.reached.then(() => saver.child.kill("SIGKILL"))]);
  const [probe] = await probeKeys(server);
  assert.ok(probe);
  assert.deepEqual(await listKeys(server), [probe]);
  assert.ok((await countUploads(server)) > 0);

  // A probe this young may be under way.
  await (await start()).line("the store keeps to conditions");
  assert.deepEqual(await listKeys(server), [probe]);

  ageLeftovers(server, "here");
  const { client, line } = await start();
  await line("the store keeps to conditions");
  assert.deepEqual(await listKeys(server), []);
  const { cache } = await client.save({ environment, localDir: source });
  // The sweep of uploads runs beside the save.
  while ((await countUploads(server)) > 0) await sleep(20);
  assert.deepEqual(await listKeys(server), [`here/default/${cache?.filename}`]);
});
