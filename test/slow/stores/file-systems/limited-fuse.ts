import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Lifetime } from "../../../support/machine/mounts.ts";

const python = fileURLToPath(new URL("../../../../.venv/bin/python", import.meta.url));
const program = fileURLToPath(import.meta.resolve("./fuse/limited.py"));
const waitMs = 30_000;

/**
 * Mounts a FUSE file system with limits, which `fuse/limited.py` lists, until `scope` ends; `source` is
 * the directory that it shows.
 */
export async function mountLimited(
  scope: Lifetime,
  limits: readonly string[],
): Promise<{ source: string; target: string }> {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-mount-"));
  const [source, target] = [join(dir, "source"), join(dir, "target")];
  for (const folder of [source, target]) mkdirSync(folder);
  const fuse = spawn(python, [program, source, target, ...limits], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, FUSE_LIBRARY_PATH: "libfuse3.so.3" },
  });
  scope.after(() => {
    // Without its mount the program ends.
    spawnSync("umount", ["-l", target]);
    rmSync(dir, { recursive: true, force: true });
  });
  const { dev } = statSync(dir);
  for (let waitedMs = 0; statSync(target).dev === dev; waitedMs += 20) {
    if (waitedMs > waitMs || fuse.exitCode !== null)
      throw new Error(`the file system with ${limits.join(", ")} did not mount`);
    await sleep(20);
  }
  return { source, target };
}
