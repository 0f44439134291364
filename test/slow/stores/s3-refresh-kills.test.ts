import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leavesOut } from "../../support/machine/tools.ts";
import { convergeUnderKills } from "../../support/refresh-under-kills.ts";
import { countUploadsTo, listKeys, probeKeys } from "../../support/s3/bucket-content.ts";
import { startTestObjectServer } from "../../support/s3/object-server.ts";

const mebibyte = 1024 * 1024;

for (const name of ["versitygw", "minio"] as const)
  describe(`refreshes over ${name} by daemons that are killed at random`, {
    skip: leavesOut(name) ?? false,
  }, () => {
    for (const [how, baseBytes] of [
      ["one request", 0],
      ["parts", 8 * mebibyte],
    ] as const)
      it(`converge, and none loses another's, in ${how}`, async (t) => {
        const server = await startTestObjectServer(t, name);
        await convergeUnderKills(t, {
          machines: 3,
          killsEach: 3,
          baseBytes,
          store: {
            variables: server.variables("here"),
            async requireTidy(archive, kills) {
              const key = `here/default/${archive}`;
              const probes = await probeKeys(server);
              const keys = await listKeys(server);
              assert.deepEqual(
                keys.filter((each) => !probes.includes(each) && !each.endsWith(".used")),
                [key],
              );
              const uploads = await countUploadsTo(server, key);
              t.diagnostic(
                `${uploads} uploads and ${probes.length} probes of ${kills} killed saves`,
              );
              // What is older than a day is swept: s3-sweep.test.ts.
              assert.ok(uploads <= kills && probes.length <= kills);
            },
          },
        });
      });
  });
