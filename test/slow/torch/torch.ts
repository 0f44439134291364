// The package beside a real torch, on this machine's CPU; `npm run test:torch`.
// It installs torch, which takes minutes and 6 GB below the temporary directory, and needs g++.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { followReadme } from "../../support/readme/follow-readme.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));

describe("beside torch", () => {
  let dir: string;
  let python: string;
  let env: NodeJS.ProcessEnv;

  before(async () => {
    await run("g++", ["--version"]);
    dir = await realpath(await mkdtemp(join(tmpdir(), "cc-torch-")));
    python = `${dir}/venv/bin/python`;
    await run(process.execPath, [`${root}scripts/package/package.ts`, `${dir}/dist`]);
    const [wheel] = (await readdir(`${dir}/dist`)).filter((name) =>
      /^compilecache-.*\.whl$/.test(name),
    );
    await run("python3", ["-m", "venv", `${dir}/venv`]);
    const pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "install"];
    await run(python, [...pip, "--no-cache-dir", "torch", `${dir}/dist/${wheel}[server]`]);
    env = {
      ...process.env,
      XDG_RUNTIME_DIR: dir,
      CUDA_VISIBLE_DEVICES: "",
      COMPILE_CACHE_ADDRESS: "",
      COMPILE_CACHE_IDLE_EXIT_SECONDS: "1",
    };
  });
  after(() => rm(dir, { recursive: true, force: true, maxRetries: 20 }));

  test("the key is the same with torch and without it", async () => {
    const detect = ["-m", "compilecache.commands.check_environment"];
    const { stdout } = await run(python, detect, { env });
    const { with_torch: withTorch, same } = JSON.parse(stdout);
    assert.match(withTorch.key, /^torch-\d+\.\d+\.\d+_cpu_triton-\d+\.\d+\.\d+_arch-/);
    assert.equal(same, true, stdout);
  });

  test("the local directory is where torch keeps its cache, also for who has no name", async () => {
    const compare = `
import getpass, os
from compilecache._base.local_directory import torch_cache_directory
from torch._inductor.runtime.cache_dir_utils import default_cache_dir

# torch sets it when it is imported.
del os.environ["TORCHINDUCTOR_CACHE_DIR"]

def nameless():
    raise KeyError("getpwuid(): uid not found")

print(torch_cache_directory() == default_cache_dir())
getpass.getuser = nameless
print(torch_cache_directory() == default_cache_dir())
`;
    const { stdout } = await run(python, ["-c", compare], { env });
    assert.equal(stdout, "True\nTrue\n");
  });

  test("the README can be followed with a real torch", async () => {
    const nodeProject = `${dir}/project`;
    await mkdir(nodeProject);
    await mkdir(`${dir}/reader`);
    await writeFile(`${nodeProject}/package.json`, '{ "type": "module" }');
    await symlink(`${root}node_modules`, `${nodeProject}/node_modules`);
    const path = [`${dir}/venv/bin`, dirname(process.execPath)];
    await followReadme({
      dir: `${dir}/reader`,
      path,
      nodeProject,
      env: { CUDA_VISIBLE_DEVICES: "" },
    });
  });

  test("the second start of a model finds all that the first one compiled", async () => {
    const { stdout } = await run(python, [`${root}examples/pytorch/twice.py`], { env });
    const [first = "", second = ""] = stdout.split("with the cache of the first:");
    assert.match(first, /\(DOES_NOT_EXIST\).*FX graphs: 0 hits, [1-9]\d* miss/);
    assert.match(second, /loaded [1-9]\d* files?, .* since then 0 new files/);
    assert.match(second, /FX graphs: [1-9]\d* hits?, 0 misses, 0 bypasses/);
    assert.match(second, /AOTAutograd: [1-9]\d* hits?, 0 misses, 0 bypasses/);
    const seconds = /warm after ([\d.]+) s on cpu/g;
    console.log("warm after", ...[...stdout.matchAll(seconds)].map(([, found]) => `${found} s`));
  });
});
