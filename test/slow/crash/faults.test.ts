import { describe, it } from "node:test";
import { crashCases } from "../../support/crash/crash-cases.ts";
import { failAtEach } from "../../support/crash/fail-at-each.ts";
import { whyUntraceable } from "../../support/crash/kill-points.ts";

const untraceable = whyUntraceable();
if (untraceable) throw new Error(untraceable);

describe("any system call that fails", { concurrency: 2 }, () => {
  for (const work of crashCases)
    for (const error of ["EIO", "ESTALE", "ENOSPC", "EDQUOT"])
      it(`with ${error} in ${work.name} is told, or does no harm`, (t) =>
        failAtEach(t, work, error));
});
