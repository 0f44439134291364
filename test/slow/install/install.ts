// What `npm run package` makes, installed into empty environments as README says; `npm run test:install`.
// It installs several TypeScripts, a Node and gRPC for Python, which takes minutes.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { writeTypedConsumers } from "../../support/package/consumers.ts";
import { followReadme } from "../../support/readme/follow-readme.ts";
import { readmeSnippet } from "../../support/readme/readme-snippets.ts";
import { writeTorch } from "../../support/readme/stand-in-torch.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const typescripts = ["5.4.5", "5.5.4", "5.7.3", "5.9.3"];

describe("from a clone to both installed packages", () => {
  let dir: string;
  let dist: string;

  before(async () => {
    dir = await realpath(await mkdtemp(join(tmpdir(), "cc-install-")));
    // What is not committed is no part of a clone.
    await run("git", ["clone", "--quiet", root, `${dir}/clone`]);
    dist = `${dir}/clone/dist`;
    await run("python3", ["-m", "venv", `${dir}/venv`]);
    await mkdir(`${dir}/npm`);
    await writeFile(`${dir}/npm/package.json`, '{ "type": "module" }');
    const [build, place, pip, forNode20, forNode24] = readmeSnippet("## Install it", "sh").split(
      "\n",
    );
    const inVenv = `PATH=${dir}/venv/bin:$PATH`;
    const script = `set -e\n${build}\n${place}\n${inVenv} ${pip}\ncd ${dir}/npm\n${forNode20}\n${forNode24}`;
    await run("sh", ["-c", script], { cwd: `${dir}/clone`, maxBuffer: 1 << 26 });
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const made = async (pattern: RegExp) =>
    `${dist}/${(await readdir(dist)).find((name) => pattern.test(name))}`;

  test("what Python saved, TypeScript loads, and the other way round", async () => {
    const env = {
      PATH: process.env.PATH ?? "",
      HOME: dir,
      XDG_RUNTIME_DIR: dir,
      COMPILE_CACHE_ADDRESS: `unix:${dir}/daemon.sock`,
      COMPILE_CACHE_STORE: `file://${dir}/store`,
      COMPILE_CACHE_LISTEN: `unix:${dir}/daemon.sock`,
      COMPILE_CACHE_ALLOWED_DIRS: `${dir}/caches`,
    };
    const serve = [`${dir}/npm/node_modules/.bin/compilecache`, "serve"];
    const daemon = execFile(process.execPath, serve, { env });
    try {
      await mkdir(`${dir}/caches/python`, { recursive: true });
      await writeFile(`${dir}/caches/python/kernel`, "kernel");
      const python = `
import sys, time
from compilecache import Environment
from compilecache.client import CacheClient
with CacheClient() as client:
    for _ in range(300):
        try:
            client.list_caches()
            break
        except Exception:
            time.sleep(0.1)
    local = sys.argv[2]
    answer = getattr(client, sys.argv[1])(Environment("2.11.0"), namespace=sys.argv[3], local_dir=local)
    print(answer.status)
`;
      await writeFile(`${dir}/use.py`, python);
      const typescript = `
import { createCacheClient } from "compilecache-client";
const [, , method, localDir, namespace] = process.argv;
const client = createCacheClient();
console.log((await client[method]({ environment: { torchVersion: "2.11.0" }, namespace, localDir })).status);
client.close();
`;
      await writeFile(`${dir}/npm/use.mjs`, typescript);
      const inPython = async (...args: string[]) =>
        (await run(`${dir}/venv/bin/python`, [`${dir}/use.py`, ...args], { env })).stdout;
      const inTypeScript = async (...args: string[]) =>
        (await run(process.execPath, [`${dir}/npm/use.mjs`, ...args], { env })).stdout;
      const [first, second] = ["meta-llama/Llama-3.1-8B", "llama"];
      assert.equal(await inPython("save", `${dir}/caches/python`, first), "2\n");
      assert.equal(await inTypeScript("load", `${dir}/caches/typescript`, first), "success\n");
      assert.equal(await inTypeScript("save", `${dir}/caches/typescript`, second), "success\n");
      assert.equal(await inPython("load", `${dir}/caches/again`, second), "2\n");
      assert.deepEqual(await readdir(`${dir}/caches/again`), ["kernel"]);
    } finally {
      daemon.kill();
    }
  });

  test("the README can be followed with them", async () => {
    await mkdir(`${dir}/reader`);
    await followReadme({
      dir: `${dir}/reader`,
      path: [`${dir}/venv/bin`, dirname(process.execPath)],
      nodeProject: `${dir}/npm`,
      env: { PYTHONPATH: writeTorch(dir) },
    });
  });

  for (const version of typescripts)
    test(`TypeScript ${version} checks each kind of source`, async () => {
      const place = `${dir}/typescript-${version}`;
      await mkdir(place);
      await writeFile(`${place}/package.json`, "{}");
      const client = await made(/-client-.*\.tgz$/);
      const packages = ["--no-audit", "--no-fund", `typescript@${version}`, client];
      await run("npm", ["install", ...packages], { cwd: place });
      for (const project of writeTypedConsumers(place)) {
        const tsc = [`${place}/node_modules/typescript/bin/tsc`, "-p", project];
        const { stdout } = await run(process.execPath, tsc).catch((e: { stdout: string }) => e);
        assert.equal(stdout, "", project);
      }
    });
});
