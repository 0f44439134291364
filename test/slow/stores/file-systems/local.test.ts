import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { testStore } from "../../../../server/src/store/contract/suite.ts";
import { openFileStore } from "../../../support/file-store.ts";
import { cannotRun } from "../../../support/machine/programs.ts";
import { localFileSystems, moreFileSystems, mountForSuite } from "./local-mounts.ts";

for (const fileSystem of [...localFileSystems, ...moreFileSystems]) {
  const { name, needs, hasHardLinks } = fileSystem;
  describe(`the file store on ${name}`, { skip: cannotRun(...needs) }, () => {
    const mounted = mountForSuite(fileSystem);
    testStore(name, async () => {
      const dir = mkdtempSync(join(mounted(), "contract-"));
      return { connect: () => openFileStore(join(dir, "store")), lastWins: !hasHardLinks };
    });
  });
}
