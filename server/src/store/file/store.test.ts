import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { testStore } from "../contract/suite.ts";
import { createFileStore } from "./store.ts";

function placeBelow(parent: string) {
  return async (t: TestContext) => {
    const dir = mkdtempSync(join(parent, "compilecache-test-"));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    return { connect: () => createFileStore(join(dir, "store")) };
  };
}

testStore("the file store on a disk", placeBelow(tmpdir()));
testStore("the file store on a tmpfs", placeBelow("/dev/shm"));
