import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createLocalDirectory } from "./local-directory.ts";

test("of a directory that was made, what is still empty is removed, and no more", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(root, { recursive: true }));
  const made = await createLocalDirectory(join(root, "a/b/c"));
  await made.removeIfEmpty();
  assert.equal(existsSync(join(root, "a")), false);
  assert.ok(existsSync(root));

  const filled = await createLocalDirectory(join(root, "a/b/c"));
  writeFileSync(join(root, "a/file"), "");
  await filled.removeIfEmpty();
  assert.equal(existsSync(join(root, "a/b")), false);
  assert.ok(existsSync(join(root, "a/file")));

  mkdirSync(join(root, "there"));
  await (await createLocalDirectory(join(root, "there"))).removeIfEmpty();
  assert.ok(existsSync(join(root, "there")));
});
