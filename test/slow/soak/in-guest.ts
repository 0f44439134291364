// What nfs.ts runs where NFS is.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { directoryStore } from "../../support/soak/directory-store.ts";
import { soak } from "../../support/soak/soak.ts";

test("on NFS, through two clients", async (t) => {
  const roots = ["/mnt/v4.2-first", "/mnt/v4.2-second"];
  mkdirSync(join(roots[0] as string, "soak"));
  await soak(t, directoryStore(roots.map((root) => join(root, "soak"))));
});
