import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type DaemonProcess, startDaemonProcess } from "../../../fixtures/daemon-process.ts";
import { generateKeys } from "../../../server/src/signing/keys.ts";
import { runCli } from "../cli/run-cli.ts";
import { wholly } from "../wholly.ts";
import { createTally, workUntil } from "./clients.ts";
import { median, type Sample, sampleOf } from "./samples.ts";
import { keepUpUntil } from "./upkeep.ts";

/** The store of a soak. */
export interface SoakStore {
  /** Its URL as each of the daemons sees it, in turn. */
  readonly urls: readonly string[];
  readonly variables: Record<string, string>;
  /** Has the store go away, and come back. */
  outage(): Promise<void>;
}

const daemonCount = 3;
const clientCount = 6;
const clock = import.meta.resolve("./jumping-clock.ts");
const parent = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** How long a soak takes. */
export const soakMinutes = Number(process.env.SOAK_MINUTES ?? 15);

/**
 * Has many clients of several daemons load, save, refresh, cancel and delete signed caches of one store,
 * while gc, verify and sign run, processes are killed, clocks jump, keys are read again and the store
 * goes away and comes back. Fails if anything is wrong, or grows.
 */
export async function soak(t: TestContext, { urls, variables, outage }: SoakStore): Promise<void> {
  const dir = mkdtempSync(join(parent, "cc-soak-"));
  t.after(() => rmSync(dir, wholly));
  const keys = [generateKeys(), generateKeys()];
  const signing = keys.map(({ signingKey }, n) => {
    writeFileSync(join(dir, `${n}.key`), signingKey, { mode: 0o600 });
    return join(dir, `${n}.key`);
  });
  const trusted = join(dir, "team.pub");
  writeFileSync(trusted, keys.map(({ trustedKey }) => trustedKey).join(""));
  const addresses = Array.from({ length: daemonCount }, (_, n) => `unix:${dir}/d${n}.sock`);
  const storeOf = (n: number) => urls[n % urls.length] as string;
  const start = async (n: number): Promise<DaemonProcess> => {
    const daemon = startDaemonProcess({
      nodeFlags: ["--import", clock],
      flags: ["--listen", addresses[n] as string],
      environment: {
        ...variables,
        COMPILE_CACHE_STORE: storeOf(n),
        TORCH_CACHE_DIR: join(dir, "local"),
        COMPILE_CACHE_ALLOWED_DIRS: join(dir, "local"),
        COMPILE_CACHE_WORKERS: "2",
        COMPILE_CACHE_SIGNING_KEY: signing[n % signing.length],
        COMPILE_CACHE_TRUSTED_KEYS: trusted,
        COMPILE_CACHE_GC_EVERY: n === 0 ? "20s" : "0",
        COMPILE_CACHE_GC_MAX_BYTES: "20MB",
        COMPILE_CACHE_GC_QUOTAS: "team-*=5MB",
        COMPILE_CACHE_GC_KEEP: "5s",
        SHUTDOWN_GRACE_SECONDS: "2",
        MALLOC_ARENA_MAX: "2",
      },
    });
    await daemon.line("listening");
    return daemon;
  };
  mkdirSync(join(dir, "local"));
  const daemons = await Promise.all(addresses.map((_, n) => start(n)));
  t.after(() => Promise.all(daemons.map((daemon) => daemon.end("SIGKILL"))));

  const tally = createTally();
  const ending = new AbortController();
  const work = Array.from({ length: clientCount }, (_, n) =>
    workUntil(addresses, join(dir, "local", String(n)), tally, ending.signal),
  );
  const flags = { signing: signing[0] as string, trusted, store: storeOf(0) };
  work.push(keepUpUntil(flags, variables, tally, ending.signal));
  t.after(() => ending.abort());
  const faults = { kills: 0, jumps: 0, reloads: 0, "store gone": 0 };
  const samples: Sample[] = [];
  const until = performance.now() + soakMinutes * 60_000;
  for (let round = 1; performance.now() < until; round++) {
    await sleep(2_000);
    // Daemon 0 lives all the time, so that what it holds can be compared.
    const victim = 1 + (round % (daemonCount - 1));
    if (round % 5 === 0) {
      await daemons[victim]?.end("SIGKILL");
      daemons[victim] = await start(victim);
      faults.kills += 1;
    } else if (round % 5 === 2) {
      daemons[round % daemonCount]?.child.kill("SIGUSR2");
      faults.jumps += 1;
    } else if (round % 5 === 3) {
      daemons[round % daemonCount]?.child.kill("SIGHUP");
      faults.reloads += 1;
    } else if (round % 15 === 4) {
      await outage();
      faults["store gone"] += 1;
    }
    const found = sampleOf(daemons[0]?.child.pid as number);
    assert.ok(found, `the daemon that nobody killed is gone:\n${daemons[0]?.output()}`);
    samples.push(found);
  }
  ending.abort();
  await Promise.all(work);
  await sleep(3_000);

  const part = (from: number, to: number) =>
    samples.slice(Math.floor(samples.length * from), Math.floor(samples.length * to));
  const [early, late] = [part(0.2, 0.4), part(0.8, 1)];
  for (const what of ["rssMiB", "descriptors", "threads"] as const) {
    const [before, after] = [early, late].map((each) => median(each.map((one) => one[what])));
    t.diagnostic(`${what}: ${before?.toFixed(0)} early, ${after?.toFixed(0)} late`);
  }
  const rest = sampleOf(daemons[0]?.child.pid as number);
  t.diagnostic(`at rest: ${JSON.stringify(rest)}`);
  for (const [name, map] of Object.entries({ done: tally.done, failed: tally.failed }))
    t.diagnostic(`${name}: ${[...map].map(([what, times]) => `${what} ${times}`).join(", ")}`);
  t.diagnostic(`faults: ${JSON.stringify(faults)}, wrong: ${tally.wrong.length}`);

  assert.deepEqual(tally.wrong.slice(0, 5), []);
  const stages = readdirSync(join(dir, "local"), { recursive: true, encoding: "utf8" }).filter(
    (name) => name.includes(".compilecache-stage-"),
  );
  // Those of killed daemons are swept by the next that loads there, a minute later.
  assert.ok(stages.length <= faults.kills * clientCount, String(stages.length));
  const verify = ["verify", "--store", storeOf(0), "--trusted-keys", trusted];
  const verified = await runCli(verify, variables);
  assert.equal(verified.exitCode, 0, verified.stdout + verified.stderr);
  const grown =
    median(late.map(({ rssMiB }) => rssMiB)) / median(early.map(({ rssMiB }) => rssMiB));
  assert.ok(grown < 1.3, `memory has grown to ${grown} times what it was`);
  assert.ok((rest?.descriptors ?? 0) < 60, `${rest?.descriptors} descriptors at rest`);
}
