import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CommandRequest } from "./command-host.ts";
import { type CliResult, runCli } from "./run-cli.ts";

const hostProgram = fileURLToPath(new URL("command-host.ts", import.meta.url));

/** Of these the launcher makes another program, or a process that lives on. */
const ofLauncher = ["run", "env", "serve"];

/** Runs `compilecache` to its end, with none of our own settings but `env`. */
export type CallCli = (
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
) => Promise<CliResult>;

/**
 * Makes a `runCli` whose commands share a process, one after the other, which saves the start of each.
 * `wrapper` is a command that runs the command that follows it, such as setpriv.
 */
export function createCallCli(wrapper: readonly string[] = []): CallCli {
  let host: ChildProcess | undefined;
  let last: Promise<unknown> = Promise.resolve();
  return (args, env = {}) => {
    if (ofLauncher.includes(args[0] ?? "")) return runCli(args, env);
    host ??= startHost(wrapper);
    const request = { args, env: { PATH: process.env.PATH ?? "", ...env } };
    const called = last.then(() => askHost(host as ChildProcess, request));
    last = called.catch(() => {});
    return called;
  };
}

export const callCli = createCallCli();

/** It ends with this process, which does not wait for it. */
function startHost(wrapper: readonly string[]): ChildProcess {
  const [program = "", ...words] = [...wrapper, process.execPath, hostProgram];
  const host = spawn(program, words, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  host.unref();
  return host;
}

async function askHost(host: ChildProcess, request: CommandRequest): Promise<CliResult> {
  const over = new AbortController();
  host.ref();
  host.channel?.ref();
  try {
    const answered = once(host, "message", { signal: over.signal });
    const ended = once(host, "exit", { signal: over.signal }).then(([code, signal]) => {
      throw new Error(`the process of commands ended with ${signal ?? code}: ${request.args}`);
    });
    host.send(request);
    const [answer] = await Promise.race([answered, ended]);
    return answer as CliResult;
  } finally {
    over.abort();
    host.unref();
    host.channel?.unref();
  }
}
