import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";

const demo = join(import.meta.dirname, "demo.ts");

it("makes a cache, brings it back through both clients, and leaves nothing behind", (t) => {
  const work = mkdtempSync(join(tmpdir(), "demo-test-"));
  t.after(() => rmSync(work, { recursive: true, force: true }));
  const { status, stdout, stderr } = spawnSync(process.execPath, [demo], {
    encoding: "utf8",
    env: { ...process.env, TMPDIR: work, CACHE_DIR: "", COMPILE_CACHE_SAVE_NICE: "0" },
  });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^TypeScript client$(.*\n)*.*^Python client$/m);
  const compared = stdout.match(/compare {2}1,\d{3} files: content, mode/g);
  assert.equal(compared?.length, 2, stdout);
  const whole = stdout.match(/ 100 % {2}72\.6 MB of 72\.6 MB, 1,258 of 1,258 files$/gm);
  assert.equal(whole?.length, 4, stdout);
  assert.deepEqual(readdirSync(work), []);
});

it("says in one sentence that CACHE_DIR holds no cache", (t) => {
  const work = mkdtempSync(join(tmpdir(), "demo-test-"));
  t.after(() => rmSync(work, { recursive: true, force: true }));
  const demoOf = (cacheDir: string) => {
    const env = { ...process.env, TMPDIR: work, CACHE_DIR: cacheDir };
    const ended = spawnSync(process.execPath, [demo], { encoding: "utf8", env });
    return [ended.status, ended.stdout, ended.stderr];
  };
  const mistake = (path: string, why: string) => [2, "", `CACHE_DIR: ${path} ${why}\n`];
  assert.deepEqual(demoOf(`${work}/none`), mistake(`${work}/none`, "is no directory"));
  assert.deepEqual(demoOf(demo), mistake(demo, "is no directory"));
  assert.deepEqual(demoOf(work), mistake(work, "holds no files that a save would take"));
});
