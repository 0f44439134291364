// The first version that was released, and this one, over one store, in each role: `npm run test:versions`.
// The old one is built from this repository's history, from the lockfile of its time.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import type { CacheServiceClient } from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { launcher, startDaemonProcess } from "../../../fixtures/daemon-process.ts";
import { runCli } from "../../support/cli/run-cli.ts";
import { call, connect, tempDir } from "../../support/client/service-client.ts";
import { environment } from "../../support/daemon/daemon-in-process.ts";
import { checkAll, writeChecked } from "../../support/soak/checked-files.ts";

const firstReleased = "24f90f9";
const repository = join(import.meta.dirname, "../../..");
const [SKIP, REFRESH, REPLACE] = [1, 2, 3] as const;
const success = 2;

/** A daemon of one version, with a directory of its own. */
interface Side {
  readonly client: CacheServiceClient;
  readonly localDir: string;
}

describe(`version ${firstReleased} and this one, over one store`, () => {
  const built = mkdtempSync(join(tmpdir(), "cc-first-"));
  const oldLauncher = join(built, "server/bin/compilecache.js");
  before(() => {
    const archive = execFileSync("git", ["archive", firstReleased], {
      cwd: repository,
      maxBuffer: 1 << 28,
    });
    execFileSync("tar", ["-x", "-C", built], { input: archive });
    execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: built, stdio: "ignore" });
  });
  after(() => rmSync(built, { recursive: true, force: true }));

  async function sides(
    t: TestContext,
  ): Promise<{ dir: string; store: string; old: Side; now: Side }> {
    const dir = await tempDir(t);
    const store = `file://${dir}/store`;
    const start = async (name: string, program: string): Promise<Side> => {
      const localDir = join(dir, name, "cache");
      mkdirSync(localDir, { recursive: true });
      const address = `unix:${dir}/${name}.sock`;
      const daemon = startDaemonProcess({
        program,
        flags: ["--listen", address],
        environment: {
          COMPILE_CACHE_STORE: store,
          TORCH_CACHE_DIR: join(dir, name, "cache"),
          COMPILE_CACHE_ALLOWED_DIRS: join(dir, name),
        },
      });
      t.after(() => daemon.end("SIGKILL"));
      await daemon.line("listening");
      return { client: connect(t, address), localDir };
    };
    return { dir, store, old: await start("old", oldLauncher), now: await start("now", launcher) };
  }

  const save = ({ client, localDir }: Side, ifStoredExists: 1 | 2 | 3) =>
    call(client, "save", { environment, localDir, ifStoredExists });
  const clear = ({ client, localDir }: Side) => call(client, "clearLocalCache", { localDir });
  const load = async (side: Side): Promise<number> => {
    await clear(side);
    const { client, localDir } = side;
    const { status } = await call(client, "load", { environment, localDir });
    assert.equal(status, success);
    const { files, wrong } = checkAll(localDir);
    assert.deepEqual(wrong, []);
    return files;
  };

  for (const [saver, loader] of [
    ["old", "now"],
    ["now", "old"],
  ] as const)
    it(`what ${saver} saves and refreshes, ${loader} loads and refreshes`, async (t) => {
      const both = await sides(t);
      writeChecked(both[saver].localDir, 40, 50_000);
      assert.equal((await save(both[saver], SKIP)).status, success);
      assert.equal(await load(both[loader]), 40);
      writeChecked(both[loader].localDir, 20, 50_000);
      assert.equal((await save(both[loader], REFRESH)).status, success);
      assert.equal(await load(both[saver]), 60);
      writeChecked(both[saver].localDir, 20, 50_000);
      assert.equal((await save(both[saver], REFRESH)).status, success);
      assert.equal(await load(both[loader]), 80);
      assert.equal((await save(both[loader], SKIP)).status, 4, "it is stored");
    });

  it("old loads what was signed, and refreshes it, which this one says", async (t) => {
    const { dir, store, old, now } = await sides(t);
    writeChecked(now.localDir, 20, 50_000);
    await save(now, SKIP);
    await runCli(["keygen", `${dir}/team`]);
    const signed = await runCli(["sign", "--store", store, "--signing-key", `${dir}/team.key`]);
    assert.equal(signed.exitCode, 0, signed.stderr);
    const verify = () => runCli(["verify", "--store", store, "--trusted-keys", `${dir}/team.pub`]);
    assert.equal((await verify()).exitCode, 0);
    assert.equal(await load(old), 20);
    writeChecked(old.localDir, 20, 50_000);
    assert.equal((await save(old, REFRESH)).status, success);
    assert.match((await verify()).stdout, /is not signed/);
  });

  it("both save, refresh and replace at once, and each finds whole caches", async (t) => {
    const { old, now } = await sides(t);
    const work = async (side: Side) => {
      for (let n = 0; n < 30; n++) {
        writeChecked(side.localDir, 5, 20_000);
        await save(side, n % 3 === 0 ? REPLACE : REFRESH);
        assert.ok((await load(side)) > 0);
      }
    };
    await Promise.all([work(old), work(now)]);
  });

  it("what this one collects, old misses", async (t) => {
    const { store, old, now } = await sides(t);
    writeChecked(now.localDir, 5, 20_000);
    await save(now, SKIP);
    const bounds = ["--gc-max-files", "0", "--gc-keep", "0"];
    const { exitCode } = await runCli(["gc", "--store", store, ...bounds, "--delete"]);
    assert.equal(exitCode, 0);
    await clear(old);
    const { localDir } = old;
    assert.equal((await call(old.client, "load", { environment, localDir })).status, 4, "a miss");
    writeChecked(localDir, 5, 20_000);
    assert.equal((await save(old, SKIP)).status, success);
    assert.equal(await load(now), 5);
  });
});
