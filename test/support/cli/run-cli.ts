import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { compiledCode, launcher } from "../../../fixtures/daemon-process.ts";

/** How a command ended, and what it printed. */
export interface CliResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface RunningCli {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<CliResult>;
  /** Waits until its stdout holds this. Throws if it ends without. */
  shown(text: RegExp): Promise<void>;
}

/** Starts `compilecache` with these arguments, and with none of our own settings. */
export function startCli(args: readonly string[], env: Record<string, string> = {}): RunningCli {
  return startProgram(process.execPath, [launcher, ...args], env);
}

/** Starts any program in the same way. */
export function startProgram(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): RunningCli {
  const child = spawn(program, args, {
    env: { PATH: process.env.PATH ?? "", ...compiledCode(), ...env },
    stdio: "pipe",
  });
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      printed[name] += text;
    });
  const ended = once(child, "close").then(([exitCode]) => ({ exitCode, ...printed }));
  const shown = async (text: RegExp) => {
    while (!text.test(printed.stdout))
      if (await Promise.race([once(child.stdout, "data").then(() => false), ended]))
        throw new Error(`it ended without ${text}: ${JSON.stringify(printed)}`);
  };
  return { child, ended, shown };
}

/** Runs `compilecache` to its end. */
export function runCli(args: readonly string[], env?: Record<string, string>): Promise<CliResult> {
  return startCli(args, env).ended;
}

/** Starts `compilecache` on a terminal: what it shows there is its stdout, what is written to its stdin is typed. */
export function startCliOnTerminal(args: readonly string[]): RunningCli {
  const onTerminal =
    "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
  const command = [process.execPath, launcher, ...args];
  return startProgram("python3", ["-c", onTerminal, ...command], { TERM: "xterm" });
}
