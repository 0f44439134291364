import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

const moduleOf = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);

/** Takes every descriptor, asks for work, gives them back and asks again. */
const program = `
import { createWorkerPool } from ${moduleOf("./worker-pool.ts")};
import { closeAll, openAll } from ${moduleOf("../../../test/support/descriptors.ts")};
const pool = createWorkerPool({ threads: 2, nice: 0 });
const { signal } = new AbortController();
const path = { root: "/", below: [], path: "/", clientPath: "/" };
const answer = () => pool.run("openDirectory", { path, create: false }, signal)
  .then(() => "done", (error) => error.reason + ": " + error.message);
const taken = openAll();
const without = await Promise.all([answer(), answer(), answer()]);
closeAll(taken);
console.log(JSON.stringify({ without, afterwards: await answer() }));
process.exit();
`;

test("a job for which no thread can be started fails in words, and the pool works again afterwards", async () => {
  const limited = ["-c", 'ulimit -n 64; exec "$0" "$@"', process.execPath];
  const { stdout } = await promisify(execFile)(
    "sh",
    [...limited, "--input-type=module", "--eval", program],
    { timeout: 60_000 },
  );
  const { without, afterwards } = JSON.parse(stdout);
  for (const answer of without)
    assert.match(answer, /^OVERLOADED: the daemon cannot start a worker thread now: .*EMFILE/);
  assert.equal(afterwards, "done");
});
