import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { environment, type TestDaemon } from "../daemon/daemons.ts";
import { patienceMs } from "../eventually.ts";
import { largeVersionIn, writeLargeVersion } from "../trees/large-versions.ts";

const versions = [0, 1, 2];
const rounds = 10;

/** Requires of loads through one daemon that each bring one whole version while another replaces it. */
export async function loadWhileReplaced(
  saver: TestDaemon,
  loader: TestDaemon,
  allowed: string,
): Promise<void> {
  const versionDir = (version: number) => join(allowed, `version-${version}`);
  for (const version of versions) writeLargeVersion(versionDir(version), version);
  const save = async (version: number) => {
    const localDir = versionDir(version);
    const saved = await saver.client.save({ environment, localDir, ifStoredExists: "replace" });
    assert.equal(saved.status, "success");
  };
  await save(0);
  let saving = true;
  const saves = Promise.all(
    versions.map(async (version) => {
      while (saving) await save(version);
    }),
  );
  const seen = new Set<number | undefined>();
  const giveUpAt = performance.now() + patienceMs;
  for (let round = 0; round < rounds || seen.size < 2; round++) {
    assert.ok(seen.size > 1 || performance.now() < giveUpAt, "the loads saw no version but one");
    const localDir = join(allowed, "loaded");
    assert.equal((await loader.client.load({ environment, localDir })).status, "success");
    seen.add(largeVersionIn(localDir));
    rmSync(localDir, { recursive: true });
  }
  saving = false;
  await saves;
}
