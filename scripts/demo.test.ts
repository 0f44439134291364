import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";

it("makes a cache, brings it back through both clients, and leaves nothing behind", {
  timeout: 180_000,
}, (t) => {
  const work = mkdtempSync(join(tmpdir(), "demo-test-"));
  t.after(() => rmSync(work, { recursive: true, force: true }));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, "demo.ts")],
    { encoding: "utf8", env: { ...process.env, TMPDIR: work, CACHE_DIR: "" } },
  );
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^TypeScript client$(.*\n)*.*^Python client$/m);
  const compared = stdout.match(/compare {2}1,\d{3} files: content, mode/g);
  assert.equal(compared?.length, 2, stdout);
  assert.deepEqual(readdirSync(work), []);
});
