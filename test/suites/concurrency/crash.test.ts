import { describe, it } from "node:test";
import { crashCases } from "../../support/crash/crash-cases.ts";
import { killAtEach } from "../../support/crash/kill-at-each.ts";
import { whyUntraceable } from "../../support/crash/kill-points.ts";

/** What `npm run test:crash` does everywhere, here for the commits of two kinds of work. */
const names = ["a save that replaces", "a load into an absent directory"];
const commitCalls = new Set(["link", "rename", "unlink", "fsync"]);
const refreshName = "a save that refreshes before another";
/** Those by which a refresh wins, and by which it is then published. */
const winningCalls = new Set(["link", "rename"]);

const untraceable = whyUntraceable();
if (untraceable && process.env.CI) throw new Error(untraceable);

describe("a daemon killed in the commit", { concurrency: 2, skip: untraceable ?? false }, () => {
  for (const work of crashCases)
    if (names.includes(work.name))
      it(`of ${work.name} leaves the old state or the new one`, (t) =>
        killAtEach(t, work, ({ syscall }) => commitCalls.has(syscall)));
    else if (work.name === refreshName)
      it(`of ${work.name} loses nothing of either, and the other publishes both`, (t) =>
        killAtEach(t, work, ({ syscall }) => winningCalls.has(syscall)));
});
