import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { cannotRun } from "../../../support/programs.ts";
import { runsAll } from "../../../support/tools.ts";
import { testDaemons } from "./daemon-races.ts";
import { localFileSystems } from "./local-mounts.ts";
import { startRacers, testRaces } from "./races.ts";

const skip = runsAll ? false : "takes long; npm run test:stores runs it";

describe("races on file systems of this machine", { skip }, () => {
  const processes = startRacers();
  for (const { name, needs, hasHardLinks, mount } of localFileSystems)
    describe(name, { skip: cannotRun(...needs) }, () => {
      const tidy: (() => void)[] = [];
      let root = "";
      before(async () => {
        root = await mount({ after: (step) => tidy.push(step) });
      });
      after(() => {
        for (const step of tidy) step();
      });
      const makePlace = () => {
        const dir = mkdtempSync(join(root, "place-"));
        return { roots: [join(dir, "store")], lastWins: !hasHardLinks };
      };
      testRaces(name, processes, makePlace);
      testDaemons(name, makePlace);
    });
});
