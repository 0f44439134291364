import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { recordingLogger } from "../../../../test/support/recording-logger.ts";
import { testStore } from "../contract/suite.ts";
import { createFileStore } from "./store.ts";

function storageBelow(parent: string) {
  return async (t: TestContext) => {
    const dir = mkdtempSync(join(parent, "compilecache-test-"));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    return { connect: () => createFileStore(join(dir, "store"), recordingLogger([])) };
  };
}

testStore("the file store on a disk", storageBelow(tmpdir()));
testStore("the file store on a tmpfs", storageBelow("/dev/shm"));
