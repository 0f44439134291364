import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { it } from "node:test";

const root = resolve(import.meta.dirname, "..");

it("says in one sentence that an older Node will not do, before anything else runs", () => {
  const { scripts } = JSON.parse(readFileSync(resolve(root, "package.json"), "utf8"));
  const older = `Object.defineProperties(process, {
    version: { value: "v20.1.0" },
    versions: { value: { ...process.versions, node: "20.1.0" } },
  });`;
  const pretence = `--import=data:text/javascript,${encodeURIComponent(older)}`;
  for (const name of ["demo", "check", "bench", "package"]) {
    const { status, stdout, stderr } = spawnSync("sh", ["-c", scripts[name]], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, NODE_OPTIONS: pretence, CACHE_DIR: "/none/such" },
    });
    assert.deepEqual({ name, status, stdout }, { name, status: 1, stdout: "" });
    assert.match(
      stderr,
      /^This needs Node 24 or newer, and this is v20\.1\.0 \(.*\)\. On Linux.*\n$/,
    );
  }
});
