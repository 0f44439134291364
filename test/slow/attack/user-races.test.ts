// A user against a daemon of root: whatever that user puts in the way, at full speed, root's files stay as
// they are, and nothing of root's appears where the user is at home.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { CacheServiceClient } from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { startDaemonProcess } from "../../../fixtures/daemon-process.ts";
import { bundleServer } from "../../../scripts/package/bundle-server.ts";
import { startSwappingUser } from "../../support/attack/swapping-user.ts";
import { call, connect, tempDir } from "../../support/client/service-client.ts";
import { environment } from "../../support/daemon/daemon-in-process.ts";
import { cannotBeNobody, nobody } from "../../support/machine/as-user.ts";

const tries = 1_000;
/** Whether each kind of work is tried that often by itself, which takes a quarter of an hour. */
const eachAlone = process.env.EACH_RACE !== undefined;
const lanes = 4;
const secret = "a secret of root's";

type Step = (client: CacheServiceClient, lane: Lane) => Promise<unknown> | undefined;

/** Directories in which one client works. */
interface Lane {
  /** The attacker's own. */
  readonly home: string;
  /** One of root's, in which all may write. */
  readonly shared: string;
  readonly n: number;
}

// By the generated client, for one of ours would make directories itself, with this process's rights.
const inHome: Record<string, Step> = {
  "a load that makes directories": (client, { home, n }) =>
    call(client, "load", { environment, localDir: join(home, "new", String(n), "cache") }),
  "a load that merges": (client, { home }) =>
    call(client, "load", { environment, localDir: join(home, "cache"), ifLocalExists: 2 }),
  "a load that replaces": (client, { home }) =>
    call(client, "load", { environment, localDir: join(home, "cache"), ifLocalExists: 3 }),
  "a clear": (client, { home }) =>
    call(client, "clearLocalCache", { localDir: join(home, "cache") }),
  "a save": (client, { home, n }) => {
    const namespace = `taken-${n % 8}`;
    const localDir = join(home, "cache");
    return call(client, "save", { namespace, environment, localDir, ifStoredExists: 3 });
  },
  "a copy": async (client, { home, n }) => {
    const source = join(home, "../../public");
    const destination = join(home, "new", `copy-${n}`);
    const { transfer } = await call(client, "startTransfer", { source, destination });
    const { operationId = "" } = transfer ?? {};
    for (;;) {
      const { transfer } = await call(client, "getTransfer", { operationId });
      if (transfer?.error) throw new Error(transfer.error.message);
      if (transfer?.completedAt) return;
      await sleep(5);
    }
  },
};

const newStage = "a load into a new stage";
const kinds = Object.values(inHome);
const steps: Record<string, Step> = {
  [newStage]: inHome["a load that replaces"] as Step,
  ...(eachAlone
    ? inHome
    : {
        "loads, clears, saves and copies": (client, lane) =>
          kinds[lane.n % kinds.length]?.(client, lane),
      }),
};

const whose = { home: "a directory of its own", shared: "one of root that all may write" };

/** All of a directory that an attack could change. */
function snapshot(path: string): unknown[] {
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((name) => {
      const { uid, gid, mode, nlink } = lstatSync(join(path, name));
      const isFile = lstatSync(join(path, name)).isFile();
      return [name, uid, gid, mode, nlink, isFile ? readFileSync(join(path, name), "utf8") : ""];
    });
}

async function attacked(
  t: TestContext,
  program: string,
  { places, patient }: { places: "home" | "shared"; patient: boolean },
) {
  const dir = await tempDir(t);
  chmodSync(dir, 0o755);
  const victim = join(dir, "victim");
  const files = { config: "of root", "a/b": "of root", "a/c/d": "of root", secret };
  write(victim, files);
  chmodSync(join(victim, "secret"), 0o600);
  write(join(dir, "public"), { config: "copied", "a/b": "copied" });
  const many = Array.from({ length: 100 }, (_, n) => [`a/kernel-${n}`, "loaded"]);
  const saved = { config: "loaded", "a/b": "loaded", "a/c/d": "loaded", made: "loaded" };
  write(join(dir, "saved"), { ...saved, ...Object.fromEntries(many) });
  const made = Array.from({ length: patient ? 2 : lanes }, (_, n) => {
    const lane = { home: join(dir, "homes", String(n)), shared: join(dir, "shared", String(n)), n };
    mkdirSync(lane.home, { recursive: true });
    chownSync(lane.home, nobody, nobody);
    mkdirSync(lane.shared, { recursive: true });
    chmodSync(lane.shared, 0o777);
    return lane;
  });
  const daemon = startDaemonProcess({
    program,
    flags: ["--listen", `unix:${dir}/daemon.sock`],
    environment: {
      COMPILE_CACHE_STORE: `file://${dir}/store`,
      TORCH_CACHE_DIR: join(dir, "saved"),
      COMPILE_CACHE_ALLOWED_DIRS: ["saved", "homes", "shared"]
        .map((name) => join(dir, name))
        .join(),
      LOCAL_WORK_DIR: join(dir, "public"),
      COMPILE_CACHE_WORKERS: "1",
      COMPILE_CACHE_SAVE_NICE: "0",
      MALLOC_ARENA_MAX: "2",
    },
  });
  t.after(() => daemon.end("SIGKILL"));
  await daemon.line("listening");
  const client = connect(t, `unix:${dir}/daemon.sock`);
  await call(client, "save", { environment, localDir: join(dir, "saved") });
  for (const lane of made) {
    await call(client, "load", { environment, localDir: join(lane[places], "cache") });
    mkdirSync(join(lane[places], "new"));
    if (places === "home") chownSync(join(lane.home, "new"), nobody, nobody);
    else chmodSync(join(lane.shared, "new"), 0o777);
  }
  const attackedPlaces = made.flatMap((lane) => {
    const place = lane[places];
    return patient ? [place] : [place, join(place, "new"), join(place, "new/1")];
  });
  const user = startSwappingUser(attackedPlaces, victim, patient);
  return { dir, victim, lanes: made, daemon, client, user, before: snapshot(victim) };
}

function write(root: string, files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  execFileSync("find", [root, "-type", "f", "-exec", "touch", "-d", "1 minute ago", "{}", "+"]);
}

/** Tries a step again and again in all lanes at once; returns how often it worked. */
async function tryAll(
  client: CacheServiceClient,
  places: readonly Lane[],
  step: Step,
): Promise<number> {
  let left = tries;
  let done = 0;
  await Promise.all(
    places.map(async (lane) => {
      while (left > 0) {
        const n = left--;
        await step(client, { ...lane, n })?.then(
          () => done++,
          () => {},
        );
      }
    }),
  );
  return done;
}

describe("a user who swaps what a daemon of root works on", { skip: cannotBeNobody }, () => {
  // Only root can read the code, as where root installed it at home.
  const installed = mkdtempSync(join(tmpdir(), "cc-installed-"));
  const program = join(installed, "package/bin/compilecache.js");
  before(() => bundleServer(join(installed, "package")));
  after(() => rmSync(installed, { recursive: true, force: true }));

  for (const places of ["home", "shared"] as const)
    for (const [name, step] of Object.entries(steps))
      it(`gains nothing in ${tries} tries: ${name}, in ${whose[places]}`, async (t) => {
        const patient = name === newStage;
        const { dir, victim, lanes, daemon, client, user, before } = await attacked(t, program, {
          places,
          patient,
        });
        const inPlaces = lanes.map((lane) => ({ ...lane, home: lane[places] }));
        const done = await tryAll(client, inPlaces, step);
        const swaps = await user.end();
        t.diagnostic(`${done} of ${tries} worked, ${swaps} entries were swapped`);
        assert.ok(swaps > 0);
        assert.deepEqual(snapshot(victim), before);
        const foreign = ["-mindepth", "2", "!", "-uid", String(nobody)];
        if (places === "home")
          assert.equal(
            execFileSync("find", [join(dir, "homes"), ...foreign], { encoding: "utf8" }),
            "",
          );
        const stored = await promisify(execFile)("sh", [
          "-c",
          `find ${dir}/store -name '*.zst' -exec zstd -dcq {} +`,
        ]);
        assert.ok(!stored.stdout.includes(secret));
        assert.equal(daemon.child.exitCode, null, daemon.output());
        const { localExists } = await call(client, "getCacheInfo", {
          environment,
          localDir: join(dir, "saved"),
        });
        assert.ok(localExists);
        const bugs = daemon.lines.filter((line) => String(line.reason) === "INTERNAL");
        assert.deepEqual(bugs, []);
      });
});
