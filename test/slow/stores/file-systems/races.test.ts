import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { describe } from "node:test";
import { cannotRun } from "../../../support/machine/programs.ts";
import { runsAll } from "../../../support/machine/tools.ts";
import { testDaemons } from "./daemon-races.ts";
import { localFileSystems, mountForSuite } from "./local-mounts.ts";
import { startRacers, testRaces } from "./races.ts";

const skip = runsAll ? false : "takes long; npm run test:stores runs it";

describe("races on file systems of this machine", { skip }, () => {
  const processes = startRacers();
  for (const fileSystem of localFileSystems) {
    const { name, needs, hasHardLinks } = fileSystem;
    describe(name, { skip: cannotRun(...needs) }, () => {
      const mounted = mountForSuite(fileSystem);
      const makeStore = () => {
        const dir = mkdtempSync(join(mounted(), "races-"));
        return { roots: [join(dir, "store")], lastWins: !hasHardLinks };
      };
      testRaces(name, processes, makeStore);
      testDaemons(name, makeStore);
    });
  }
});
