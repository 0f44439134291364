import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { testStore } from "../../../../server/src/store/contract/suite.ts";
import { openFileStore } from "../../../support/file-store.ts";
import { cannotRun } from "../../../support/programs.ts";
import { localFileSystems } from "./local-mounts.ts";

for (const { name, needs, hasHardLinks, mount } of localFileSystems)
  describe(`the file store on ${name}`, { skip: cannotRun(...needs) }, () => {
    const tidy: (() => void)[] = [];
    let root = "";
    before(async () => {
      root = await mount({ after: (step) => tidy.push(step) });
    });
    after(() => {
      for (const step of tidy) step();
    });
    testStore(name, async () => {
      const dir = mkdtempSync(join(root, "place-"));
      return { connect: () => openFileStore(join(dir, "store")), lastWins: !hasHardLinks };
    });
  });
