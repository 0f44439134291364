import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Store, StoredFile } from "../../../server/src/store/store.ts";
import { collectGarbage } from "../../../server/src/upkeep/gc.ts";
import { defaultGcPolicy } from "../../../server/src/upkeep/gc-plan.ts";
import { startCli } from "../../support/cli/run-cli.ts";
import { leavesOut } from "../../support/machine/tools.ts";
import { listKeys } from "../../support/s3/bucket-content.ts";
import {
  type CallFilter,
  type HeldPart,
  startHoldingProxy,
} from "../../support/s3/holding-proxy.ts";
import { openStoreOn, startTestObjectServer } from "../../support/s3/object-server.ts";

const name = { namespace: "gc", filename: "cache_0123456789ab.latest.tar.zst" };
const key = `here/gc/${name.filename}`;
const note = `here/gc/.${name.filename}.used`;
const ofArchive = (path: string) => path.split("?")[0]?.endsWith(`/${key}`) ?? false;

/** The calls of a removal, in their order. */
const steps: readonly (readonly [string, CallFilter])[] = [
  ["the look at the archive", (method, path) => method === "HEAD" && ofArchive(path)],
  ["the empty object", (method, path) => method === "PUT" && ofArchive(path)],
  ["the end of its note", (method, path) => method === "DELETE" && path.includes(note)],
];

async function put(store: Store, content: string): Promise<void> {
  const writer = await store.create(name);
  try {
    await writer.write(Buffer.from(content));
    assert.equal(await writer.commit("create"), "committed");
  } finally {
    await writer.abort();
  }
}

async function contentOf(store: Store): Promise<string | undefined> {
  await using reader = await store.open(name);
  return reader && String(await reader.read(0, reader.bytes));
}

/**
 * Waits until all that is stored has an age by the store's own clock, which gc goes by: the seconds of the
 * server's last answer, and a server may make up that text once a second. Together they lag by up to two.
 */
async function toBeCollectable(store: Store): Promise<void> {
  for (;;) {
    const { now, files } = await store.inventory();
    if (files.every(({ modifiedAt }) => now.getTime() - modifiedAt.getTime() >= 1_000)) return;
    await sleep(100);
  }
}

/** What another collector removes, where nothing is too young to go. */
async function collect(store: Store): Promise<StoredFile["kind"][]> {
  const policy = { ...defaultGcPolicy, maxFiles: 0, keepMs: -60_000, unfinishedMs: -60_000 };
  const { signal } = new AbortController();
  const removed: StoredFile["kind"][] = [];
  for await (const { file, result } of collectGarbage(
    { store },
    policy,
    { dryRun: false },
    signal,
  )) {
    assert.equal(result, "removed");
    removed.push(file.kind);
  }
  return removed;
}

for (const server of ["versitygw", "minio"] as const)
  describe(`gc of a bucket on ${server}, killed`, { skip: leavesOut(server) ?? false }, () => {
    async function setUp(t: TestContext) {
      const objects = await startTestObjectServer(t, server);
      const proxy = await startHoldingProxy(t, objects.port);
      const store = await openStoreOn(objects, "here");
      const bounds = ["--gc-max-files", "0", "--gc-keep", "0"];
      const gc = () =>
        startCli(["gc", "--delete", ...bounds], objects.variables("here", proxy.endpoint));
      return { objects, proxy, store, gc };
    }

    it("at any step leaves the archive, or none, and the next gc leaves nothing but its key", async (t) => {
      const { objects, proxy, store, gc } = await setUp(t);
      for (const [step, filter] of steps)
        for (const part of ["call", "answer"] satisfies HeldPart[]) {
          const at = `${step}, ${part}`;
          await put(store, at);
          await store.noteUse({ ...name, modifiedAt: new Date(0) });
          await toBeCollectable(store);
          const held = proxy.hold(filter, part);
          const { child, ended } = gc();
          const early = ended.then((result) =>
            assert.fail(`gc did not come to ${at}: ${JSON.stringify(result)}`),
          );
          early.catch(() => {});
          await Promise.race([held.reached, early]);
          child.kill("SIGKILL");
          await ended;
          await held.release();
          const isKept = step === steps[0]?.[0] || (step === steps[1]?.[0] && part === "call");
          const found = await contentOf(store);
          // What the server was sent before the kill it may still do.
          assert.ok(found === undefined || found === at);
          if (part === "answer") assert.equal(found, isKept ? at : undefined, at);
          await collect(store);
          assert.equal(await contentOf(store), undefined);
          const keys = (await listKeys(objects)).filter((each) => each.startsWith("here/gc/"));
          assert.deepEqual(keys, [key], at);
          assert.deepEqual((await store.inventory()).files, []);
        }
    });

    it("before the empty object, removes nothing that was saved since", async (t) => {
      const { proxy, store, gc } = await setUp(t);
      await put(store, "old");
      await toBeCollectable(store);
      const [, filter] = steps[1] as (typeof steps)[number];
      const held = proxy.hold(filter, "call");
      const { child, ended } = gc();
      const early = ended.then((result) => assert.fail(JSON.stringify(result)));
      early.catch(() => {});
      await Promise.race([held.reached, early]);
      const writer = await store.create(name);
      await writer.write(Buffer.from("saved since"));
      assert.equal(await writer.commit("replace"), "committed");
      child.kill("SIGKILL");
      await ended;
      // The call is on its way all the same.
      await held.release();
      assert.equal(await contentOf(store), "saved since");
    });
  });
