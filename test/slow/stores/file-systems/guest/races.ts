import { mkdtempSync } from "node:fs";
import { basename, join } from "node:path";
import { describe } from "node:test";
import { startRacers, testRaces } from "../races.ts";
import { nfsVersions, rootsOf } from "./mounts.ts";

describe("races on NFS", () => {
  const processes = startRacers();
  for (const version of nfsVersions)
    testRaces(`NFS ${version}, two clients`, processes, () => {
      const roots = rootsOf(version);
      const folder = basename(mkdtempSync(join(roots[0], "races-")));
      return { roots: roots.map((root) => join(root, folder)), lastWins: false };
    });
});
