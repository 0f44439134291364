import { mkdtempSync } from "node:fs";
import { basename, join } from "node:path";
import { testStore } from "../../../../../server/src/store/contract/suite.ts";
import { openFileStore } from "../../../../support/file-store.ts";
import { nfsVersions, rootsOf } from "./mounts.ts";

for (const version of nfsVersions) {
  const [first, second] = rootsOf(version);
  testStore(`NFS ${version}, one client`, async () => {
    const root = join(mkdtempSync(join(first, "one-")), "store");
    return { connect: () => openFileStore(root) };
  });
  testStore(`NFS ${version}, two clients`, async () => {
    const name = basename(mkdtempSync(join(first, "two-")));
    let connections = 0;
    return {
      connect: () => openFileStore(join(connections++ % 2 ? second : first, name, "store")),
    };
  });
}
