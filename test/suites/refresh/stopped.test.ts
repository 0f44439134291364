import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { readContents, writeContents } from "../../support/crash/cache-contents.ts";
import { isPublished, saveFrom } from "../../support/crash/crash-cases.ts";
import { stopAfterFirst, whyUntraceable } from "../../support/crash/kill-points.ts";
import { createTestPlace, environment, namesIn } from "../../support/daemon/daemons.ts";
import { eventually } from "../../support/eventually.ts";

const untraceable = whyUntraceable();
if (untraceable && process.env.CI) throw new Error(untraceable);

const cacheOf = (name: string) => ({ [`${name}/kernel.cubin`]: `kernel of ${name}` });
const won = { ...cacheOf("first"), ...cacheOf("second"), ...cacheOf("slow") };
const all = { ...won, ...cacheOf("next") };

/** Whether all threads of a process stand still, stopped by a signal or by a tracer. */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).every((id) => {
    const path = join(tasks, id, "stat");
    if (!existsSync(path)) return false;
    const stat = readFileSync(path, "utf8");
    return /^\) [tT] /.test(stat.slice(stat.lastIndexOf(")")));
  });
}

async function testStopped(t: TestContext, syscall: string, isOnFolder: boolean): Promise<void> {
  const place = await createTestPlace(t);
  const dirOf = (name: string) => join(place.allowed, name);
  const { client } = await place.startDaemon();
  const refresh = (name: string) => saveFrom(client, dirOf(name), cacheOf(name), "refresh");
  let loads = 0;
  const load = async () => {
    const localDir = dirOf(`loaded-${loads++}`);
    await client.load({ environment, localDir });
    return readContents(localDir);
  };
  await refresh("first");
  await refresh("second");
  const archives = join(place.store, "default");
  const name = namesIn(archives).find((each) => each.endsWith(".generations"));
  const folder = join(archives, name ?? assert.fail("no number was taken"));

  const slow = await place.startDaemon();
  // Its first save asks what the file system can do, by the same system calls.
  await slow.client.save({ environment, localDir: dirOf("first"), namespace: "another" });
  await stopAfterFirst(slow.child.pid as number, syscall, isOnFolder ? folder : undefined);
  const localDir = dirOf("slow");
  writeContents(localDir, cacheOf("slow"));
  const saving = slow.client.save({ environment, localDir, ifStoredExists: "refresh" });
  const pid = slow.child.pid as number;
  // strace alone stops threads for moments, too.
  await eventually("the stop", () => namesIn(folder).length === 2 && isStopped(pid));
  assert.ok(!isPublished(place), "it did not stop");
  assert.deepEqual(await load(), won);

  await refresh("next");
  assert.deepEqual(await load(), all);
  assert.ok(isPublished(place));

  slow.child.kill("SIGCONT");
  // It may find that its files have been stored by the other one.
  assert.match((await saving).status, /^(success|skipped)$/);
  assert.deepEqual(await load(), all);
  assert.ok(isPublished(place));
}

describe("a refresh that has won its number and then stands still", {
  skip: untraceable ?? false,
  concurrency: 2,
}, () => {
  const outcome = "is there at once, is in the next, and takes nothing back when it continues";
  it(`(just so) ${outcome}`, (t) => testStopped(t, "link", false));
  it(`(about to publish) ${outcome}`, (t) => testStopped(t, "fsync", true));
});
