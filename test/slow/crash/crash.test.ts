import { describe, it } from "node:test";
import { crashCases } from "../../support/crash/crash-cases.ts";
import { killAtEach } from "../../support/crash/kill-at-each.ts";
import { whyUntraceable } from "../../support/crash/kill-points.ts";

const untraceable = whyUntraceable();
if (untraceable) throw new Error(untraceable);

describe("a daemon killed at any system call that changes a disk", { concurrency: 2 }, () => {
  for (const work of crashCases)
    it(`of ${work.name} leaves the old state or the new one`, (t) =>
      killAtEach(t, work, () => true));
});
