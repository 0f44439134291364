// A reader who copies what the README says, from top to bottom, in a home of their own.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { treeDifferences } from "../../../fixtures/compare-trees.ts";
import {
  isTransientDirectory,
  isTransientFile,
} from "../../../server/src/local/tree/transient-names.ts";
import { readmeSnippet } from "./readme-snippets.ts";

const run = promisify(execFile);

export interface Reader {
  /** An empty directory, which becomes home, runtime directory and place of all copies. */
  readonly dir: string;
  /** Where `python`, `compilecache` and `node` are found, in this order. */
  readonly path: readonly string[];
  /** A directory with a package.json, in which `compilecache-client` is found. */
  readonly nodeProject: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Asserts that each snippet does what its page says of it, all on one cache. */
export async function followReadme(reader: Reader): Promise<void> {
  const { dir } = reader;
  const [local, compiled] = [`${dir}/local`, `${dir}/compiled`];
  const [home, bin] = [`${dir}/home`, `${dir}/bin`];
  for (const made of [home, bin, `${dir}/run`, `${dir}/work`]) mkdirSync(made, { mode: 0o700 });
  const env = {
    ...reader.env,
    PATH: [bin, ...reader.path, process.env.PATH].join(":"),
    HOME: home,
    XDG_RUNTIME_DIR: `${dir}/run`,
    XDG_CACHE_HOME: `${dir}/xdg`,
    TORCHINDUCTOR_CACHE_DIR: local,
  };
  const settings = readmeSnippet("## Use it", "sh");
  const shell = (text: string) =>
    run("sh", ["-c", `set -eu\n${settings}\n${text}`], { env, cwd: `${dir}/work` });
  const program = async (name: string, text: string, command: string, place = `${dir}/work`) => {
    const file = join(place, name);
    writeFileSync(file, text);
    return shell(`${command} ${file}`);
  };
  /** Asserts that what is done meanwhile brings back all that the model compiled. */
  const bringsBack = async <T>(action: () => Promise<T>): Promise<T> => {
    rmSync(local, { recursive: true });
    const done = await action();
    assert.deepEqual(treeDifferences(compiled, local, wouldTravel), []);
    return done;
  };

  try {
    const model = readmeSnippet("### In a model", "python");
    const first = await program("model.py", model, "python");
    assert.match(first.stderr, /nothing to load|no cache/, first.stderr);
    assert.match(first.stderr, /saved \d+ files/);
    rmSync(local, { recursive: true });
    const second = await program("model.py", model, "python");
    assert.match(second.stderr, /loaded \d+ files, .*of namespace meta-llama\/Llama-3\.1-8B into/);

    cpSync(local, compiled, { recursive: true, preserveTimestamps: true });

    const inShell = readmeSnippet("### From a shell", "sh");
    const { stdout } = await bringsBack(() => shell(inShell));
    assert.match(stdout, /^\* +meta-llama\/Llama-3\.1-8B +[0-9a-f]{12} /m);

    const own = "### From a program of your own";
    const inPython = readmeSnippet(own, "python");
    const python = await bringsBack(() => program("client.py", inPython, "python"));
    assert.match(python.stdout, /^(\d+) of \1 bytes$/m);
    const inTypeScript = readmeSnippet(own, "ts");
    await bringsBack(() => program("client.ts", inTypeScript, "node", reader.nodeProject));

    await followCommands(dir, shell);
    await followServe(dir, shell);
  } finally {
    await shell("compilecache stop --all || true");
  }
}

function wouldTravel(path: string): boolean {
  const folders = dirname(path).split("/");
  return !folders.some(isTransientDirectory) && !isTransientFile(basename(path));
}

type Shell = (text: string) => Promise<{ stdout: string; stderr: string }>;

/** Around a command: the programs stand for train.py and vLLM, and note what they find. */
async function followCommands(dir: string, shell: Shell): Promise<void> {
  const compile = (cache: string) => `
    find "${cache}" -type f 2>/dev/null | wc -l >> ${dir}/found
    mkdir -p "${cache}/torch_compile_cache"
    echo kernel > "${cache}/torch_compile_cache/kernel"
    # Finished long ago: a save waits for what is younger than 2 s.
    touch -d 2020-01-01 "${cache}/torch_compile_cache/kernel"`;
  writeFileSync(
    `${dir}/work/train.py`,
    `import subprocess\nsubprocess.run(["sh", "-c", r'''${compile(`${dir}/local`)}'''], check=True)\n`,
  );
  writeFileSync(`${dir}/bin/vllm`, `#!/bin/sh\n${compile(`${dir}/xdg/vllm`)}\n`);
  chmodSync(`${dir}/bin/vllm`, 0o755);
  const commands = readmeSnippet("### Around a command", "sh");
  await shell(commands);
  for (const cache of [`${dir}/local`, `${dir}/xdg/vllm`]) rmSync(cache, { recursive: true });
  await shell(commands);
  const { stdout } = await shell(`tr -s '\\n ' '  ' < ${dir}/found`);
  const [train, vllm, trainAgain, vllmAgain] = stdout.trim().split(" ").map(Number);
  assert.equal(vllm, 0, stdout);
  assert.equal(trainAgain, (train ?? 0) + 1, "the command finds what the last one compiled");
  assert.equal(vllmAgain, 1);
}

/** One daemon for a machine: on a socket and a port that nothing else has. */
async function followServe(dir: string, shell: Shell): Promise<void> {
  const socket = `${dir}/run/all.sock`;
  const serve = readmeSnippet("### One daemon for a machine", "sh")
    .replace("/run/compilecache/compilecache.sock", socket)
    .replace(":9400", ":0")
    .trim();
  const { stdout } = await shell(`
    ${serve} 2> ${dir}/serve.log & daemon=$!
    trap 'kill $daemon; wait $daemon || true' EXIT
    while ! [ -S ${socket} ]; do kill -0 $daemon; sleep 0.05; done
    compilecache ls --address unix:${socket}`);
  assert.match(stdout, /meta-llama\/Llama-3\.1-8B/);
}
