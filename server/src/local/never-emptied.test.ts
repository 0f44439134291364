import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { cannotMount, mount } from "../../../test/support/machine/mounts.ts";
import { makeTree } from "../../../test/support/trees/trees.ts";
import { requireMayEmpty } from "./never-emptied.ts";

const vectors: Record<"paths" | "in_home" | "holding" | "emptied", string[]> = JSON.parse(
  readFileSync(new URL("../../../test/vectors/never-emptied.json", import.meta.url), "utf8"),
);

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
  for (const file of vectors.emptied)
    it(`lets a cache with ${file} be emptied`, (t) => {
      const jo = home(t);
      makeTree(jo, { [file]: "x" });
      const [first = ""] = file.split("/");
      assert.equal(refusalOf(join(jo, first.startsWith(".") ? dirname(file) : first)), undefined);
    });

  for (const below of vectors.in_home)
    it(`refuses a home directory, or its ${below}, where many programs keep files`, (t) => {
      const jo = home(t);
      mkdirSync(join(jo, below), { recursive: true });
      mkdirSync(join(jo, ".local/share"), { recursive: true });
      assert.match(
        refusalOf(realpathSync(join(jo, below))) ?? "",
        /is never emptied, .* is, or holds, (the home directory )?.*people\/jo.* Name the/,
      );
    });

  it("refuses the home directory that the system says, whatever HOME is", (t) => {
    home(t);
    if (process.geteuid?.() === 0) assert.match(refusalOf("/root") ?? "", /home directory \/root/);
  });

  for (const path of vectors.paths.filter((path) => existsSync(path)))
    it(`refuses ${path}`, () => {
      const said = /belongs to (the system|no program alone)|home directory/;
      assert.match(refusalOf(realpathSync(path)) ?? "", said);
    });

  for (const file of vectors.holding)
    it(`refuses what holds ${file}`, (t) => {
      const dir = scratch(t);
      makeTree(dir, { [file]: "x" });
      assert.match(
        refusalOf(dir) ?? "",
        /it holds (a repository|a Python environment|whole caches|stored caches) \(/,
      );
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
