import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { it } from "node:test";

const root = resolve(import.meta.dirname, "../../..");
const data = resolve(root, "../shared/data/inductor-cache-h200.tar.xz");
// A memory file system, where there is one, spares the disk three copies of 729 MB.
const scratch = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

it("brings a real cache of 12,462 files back byte for byte through each client", {
  skip: existsSync(data) ? false : `${data} is absent`,
}, (t) => {
  const work = mkdtempSync(join(scratch, "real-cache-"));
  t.after(() => rmSync(work, { recursive: true, force: true }));
  execFileSync("tar", ["-xJf", data, "-C", work]);
  const output = execFileSync(process.execPath, [join(root, "scripts/demo.ts")], {
    cwd: root,
    encoding: "utf8",
    env: {
      ...process.env,
      CACHE_DIR: join(work, "ti_snapshot"),
      TMPDIR: work,
      COMPILE_CACHE_SAVE_NICE: "0",
    },
  });
  assert.equal(output.match(/compare {2}12,462 files: content, mode/g)?.length, 2, output);
});
