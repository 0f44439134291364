#!/usr/bin/env node
// Plain JavaScript, so that an older Node can read it and say what is wrong.
import { existsSync } from "node:fs";

const neededMajor = 24;
if (Number.parseInt(process.versions.node, 10) < neededMajor) {
  console.error(
    `compilecache needs Node ${neededMajor} or newer, and this is ${process.version} (${process.execPath}).\n` +
      'pip install "compilecache[server]" brings the same command with a Node of its own.',
  );
  process.exit(1);
}

// A store that hangs must leave threads free, whatever number another program was given. libuv reads
// this once, before its pool's first work.
const fewestThreads = 16;
const { UV_THREADPOOL_SIZE: threads } = process.env;
// Python does these, and runs the model with the variables that it finds.
const isForPython = ["run", "env"].includes(process.argv[2]);
if (!isForPython && !(Number(threads) >= fewestThreads))
  process.env.UV_THREADPOOL_SIZE = String(fewestThreads);

// Worker threads come and go with the work. glibc keeps memory that they freed in up to eight arenas a
// CPU, so a daemon would grow for days; it reads the limit once, when a program starts.
if (process.argv[2] === "serve" && process.env.MALLOC_ARENA_MAX === undefined)
  process.execve?.(
    process.execPath,
    [process.argv0, ...process.execArgv, ...process.argv.slice(1)],
    { ...process.env, MALLOC_ARENA_MAX: "2" },
  );

// It may come before there is anything to read again, and would end the daemon.
if (process.argv[2] === "serve") process.on("SIGHUP", () => {});

const source = new URL("../src/cli/program.ts", import.meta.url);
const built = new URL("../lib/program.js", import.meta.url);
const { main } = await import((existsSync(source) ? source : built).href);
await main(process.argv);
