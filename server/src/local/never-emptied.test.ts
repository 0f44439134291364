import assert from "node:assert/strict";
import { closeSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { cannotMount, mount } from "../../../test/support/machine/mounts.ts";
import { makeTree } from "../../../test/support/trees/trees.ts";
import { requireMayEmpty } from "./never-emptied.ts";

/** Whether a directory may be emptied: undefined, or what is said against it. */
function refusalOf(path: string): string | undefined {
  const fd = openSync(path, "r");
  try {
    requireMayEmpty({ fd, path });
    return undefined;
  } catch (error) {
    assert.equal((error as { reason?: string }).reason, "PATH_NOT_ALLOWED");
    return (error as Error).message;
  } finally {
    closeSync(fd);
  }
}

function scratch(t: TestContext): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "compilecache-test-")));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A home directory, which `HOME` names until the test ends. */
function home(t: TestContext): string {
  const dir = join(scratch(t), "people", "jo");
  mkdirSync(dir, { recursive: true });
  const before = process.env.HOME;
  process.env.HOME = dir;
  t.after(() => {
    if (before === undefined) delete process.env.HOME;
    else process.env.HOME = before;
  });
  return dir;
}

describe("requireMayEmpty", () => {
  it("lets caches be emptied, whatever is in them and wherever they lie", (t) => {
    const jo = home(t);
    const caches = ["torchinductor_jo", "people/jo/.cache/vllm", "people/jo/.triton/cache", "c"];
    for (const cache of caches) {
      const dir = join(jo, "../..", cache);
      makeTree(dir, { "ab/cab.py": "kernel", "fxgraph/x/y/z": "graph", "notes.txt": "mine" });
      assert.equal(refusalOf(realpathSync(dir)), undefined);
    }
  });

  it("refuses a home directory, what holds it, and what many programs share in it", (t) => {
    const jo = home(t);
    mkdirSync(join(jo, ".cache/vllm"), { recursive: true });
    mkdirSync(join(jo, ".local/share"), { recursive: true });
    for (const path of [jo, join(jo, "..")])
      assert.match(
        refusalOf(realpathSync(path)) ?? "",
        /people(\/jo)? is never emptied, .* it is, or holds, the home directory .*\/jo\. Name/,
      );
    for (const name of [".cache", ".local", ".local/share"])
      assert.match(refusalOf(join(jo, name)) ?? "", /where many programs keep files/);
  });

  it("refuses the home directory that the system says, whatever HOME is", (t) => {
    home(t);
    if (process.geteuid?.() === 0) assert.match(refusalOf("/root") ?? "", /home directory \/root/);
  });

  it("refuses what belongs to the system, or to no program alone", () => {
    for (const path of ["/etc", "/usr/lib", "/proc"])
      assert.match(refusalOf(path) ?? "", /belongs to the system/);
    for (const path of ["/tmp", "/var/tmp", "/var/lib", "/usr", "/"])
      assert.match(refusalOf(realpathSync(path)) ?? "", /belongs to no program|home directory/);
  });

  it("refuses a repository, a directory of repositories, and one of whole caches", (t) => {
    const dir = scratch(t);
    makeTree(join(dir, "work/project"), { ".git/HEAD": "ref", "model.py": "mine" });
    makeTree(join(dir, "jobs"), { "torchinductor_jo/ab/cab.py": "kernel" });
    assert.match(refusalOf(join(dir, "work/project")) ?? "", /holds a repository \(\.git\)/);
    assert.match(refusalOf(join(dir, "work")) ?? "", /holds a repository \(project\/\.git\)/);
    assert.match(refusalOf(join(dir, "jobs")) ?? "", /holds whole caches \(torchinductor_jo\)/);
  });

  it("refuses a home by the other path that a mount gives it", { skip: cannotMount }, (t) => {
    const other = mkdtempSync(join(tmpdir(), "compilecache-mount-"));
    const unmounted: (() => void)[] = [];
    t.after(() => {
      for (const unmount of unmounted) unmount();
      rmSync(other, { recursive: true });
    });
    const jo = home(t);
    mount({ after: (end) => unmounted.push(end) }, ["--bind", join(jo, ".."), other], other);
    assert.match(refusalOf(other) ?? "", /holds, the home directory/);
    assert.match(refusalOf(join(other, "jo")) ?? "", /is, or holds, the home directory/);
  });
});
