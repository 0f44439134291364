import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why tests that mount must be skipped here, or false. */
export const cannotMount: string | false = (() => {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-mount-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", dir], { stdio: "ignore" });
    execFileSync("umount", ["-l", dir]);
    return false;
  } catch {
    return "mounting needs root and CAP_SYS_ADMIN";
  } finally {
    rmdirSync(dir);
  }
})();

/** A test or a suite, which says when to tidy up. */
export interface Lifetime {
  after(tidy: () => void): void;
}

/** Mounts a tmpfs (`size=8m,nr_inodes=100`) until the test ends; returns its path. */
export function mountTmpfs(t: Lifetime, options: string): string {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-mount-"));
  mount(t, ["-t", "tmpfs", "-o", options, "tmpfs", dir], dir);
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Calls mount(8); at the end of the test unmounts `target`, even if it is still in use. */
export function mount(t: Lifetime, args: readonly string[], target: string): void {
  execFileSync("mount", args);
  t.after(() => spawnSync("umount", ["-l", target]));
}
