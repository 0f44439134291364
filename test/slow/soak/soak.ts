// A quarter of an hour of everything at once, on a directory in memory: `npm run test:soak`. SOAK_MINUTES
// says how long; test:soak:s3 and test:soak:nfs do the same on an S3 server, and on a real NFS.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { directoryStore } from "../../support/soak/directory-store.ts";
import { soak, soakMinutes } from "../../support/soak/soak.ts";

test(`${soakMinutes} minutes of loads, saves, cancels, kills, gc and worse`, async (t) => {
  const dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "cc-soak-store-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, "store"));
  await soak(t, directoryStore([join(dir, "store")]));
});
