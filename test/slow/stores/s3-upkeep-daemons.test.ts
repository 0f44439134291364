import { describe, it } from "node:test";
import { leavesOut } from "../../support/machine/tools.ts";
import { openStoreOn, startTestObjectServer } from "../../support/s3/object-server.ts";
import { stayBoundedUnderKills } from "../../support/upkeep/bounded-under-kills.ts";

for (const name of ["versitygw", "minio"] as const)
  describe(`a bucket on ${name}`, { skip: leavesOut(name) ?? false }, () => {
    it("stays bounded, sound and signed under many daemons that are often killed", async (t) => {
      const server = await startTestObjectServer(t, name);
      await stayBoundedUnderKills(t, () => ({
        variables: server.variables("here"),
        open: () => openStoreOn(server, "here"),
      }));
    });
  });
