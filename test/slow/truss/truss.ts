// examples/truss by Truss's own code, in its own process and as its server; `npm run test:truss`.
// It installs Truss, which takes a minute.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const here = fileURLToPath(new URL(".", import.meta.url));
const example = `${root}examples/truss`;
const port = 18_080;

describe("examples/truss", () => {
  let dir: string;
  let python: string;

  before(async () => {
    dir = await realpath(await mkdtemp(join(tmpdir(), "cc-truss-")));
    python = `${dir}/venv/bin/python`;
    await run(process.execPath, [`${root}scripts/package/package.ts`, `${dir}/dist`]);
    const [wheel] = (await readdir(`${dir}/dist`)).filter((name) =>
      /^compilecache-.*\.whl$/.test(name),
    );
    await run("python3", ["-m", "venv", `${dir}/venv`]);
    const pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "install"];
    await run(python, [...pip, "truss==0.18.35"]);
    const serverOf = "import truss, pathlib; print(pathlib.Path(truss.__file__).parent)";
    const { stdout } = await run(python, ["-c", serverOf]);
    const server = `${stdout.trim()}/templates/server`;
    const requirements = await readFile(`${server}/requirements.txt`, "utf8");
    await writeFile(`${dir}/requirements.txt`, requirements.replace(/^-i .*$/m, ""));
    const needed = ["-r", `${dir}/requirements.txt`, "-c", `${server}/constraints.txt`];
    await run(python, [...pip, ...needed, `${dir}/dist/${wheel}[server]`]);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  /** As in two containers: a local directory for each replica, and one store. */
  const environmentOf = (replica: string) => ({
    ...process.env,
    PYTHONPATH: `${here}stand_in`,
    HOME: dir,
    XDG_RUNTIME_DIR: `${dir}`,
    TORCHINDUCTOR_CACHE_DIR: `${dir}/${replica}`,
    COMPILE_CACHE_STORE: `file://${dir}/store`,
    COMPILE_CACHE_NAMESPACE: "truss-example",
    COMPILE_CACHE_IDLE_EXIT_SECONDS: "1",
    INFERENCE_SERVER_PORT: String(port),
  });

  test("the first replica, in this process, compiles and saves", async () => {
    await run(python, [`${here}predict.py`, example], { env: environmentOf("first") });
    const [archive] = await readdir(`${dir}/store/truss-example`);
    assert.match(archive ?? "", /^cache_[0-9a-f]{12}\.latest\.tar\.zst$/);
  });

  test("the second one, Truss's server, loads that and serves", async () => {
    const env = environmentOf("second");
    await run(python, [`${here}build.py`, example, `${dir}/build`, `${dir}/root`], { env });
    const server = spawn(python, ["main.py"], { cwd: `${dir}/root/app`, env });
    let log = "";
    for (const stream of [server.stdout, server.stderr])
      stream.on("data", (chunk) => {
        log += chunk;
      });
    try {
      const answer = await predict(() => log);
      assert.deepEqual(answer, { output: Array(256).fill(0.25) });
      const kernel = (replica: string) => readFile(`${dir}/${replica}/kernel`, "utf8");
      assert.equal(await kernel("second"), await kernel("first"));
    } finally {
      server.kill("SIGTERM");
    }
    const [, signal] = await once(server, "exit");
    assert.equal(signal, "SIGTERM", log);
  });

  async function predict(log: () => string): Promise<unknown> {
    const url = `http://127.0.0.1:${port}/v1/models/model:predict`;
    const body = JSON.stringify({ input: Array(256).fill(0.25) });
    for (const deadline = Date.now() + 60_000; ; await delay(200)) {
      const response = await fetch(url, { method: "POST", body }).catch(() => undefined);
      if (response?.ok) return response.json();
      if (Date.now() > deadline) throw new Error(`it does not serve:\n${log()}`);
    }
  }
});
