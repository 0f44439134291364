import { mkdtempSync } from "node:fs";
import { basename, join } from "node:path";
import { testDaemons } from "../daemon-races.ts";
import { nfsVersions, rootsOf } from "./mounts.ts";

for (const version of nfsVersions)
  testDaemons(`NFS ${version}, two clients`, () => {
    const roots = rootsOf(version);
    const folder = basename(mkdtempSync(join(roots[0], "daemons-")));
    return { roots: roots.map((root) => join(root, folder)), lastWins: false };
  });
