// A process that runs one command of `compilecache` after the other, as its parent asks: the program's
// modules are loaded once. `call-cli.ts` starts it.
import { runProgram } from "../../../server/src/cli/create-program.ts";
import type { CliResult } from "./run-cli.ts";

/** What the parent sends, one at a time. */
export interface CommandRequest {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Ends the command in place of the process. */
class Exit {}

const printed = { stdout: "", stderr: "" };
for (const name of ["stdout", "stderr"] as const)
  process[name].write = (chunk: string | Uint8Array) => {
    printed[name] += typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk);
    return true;
  };
process.exit = (code) => {
  if (code !== undefined) process.exitCode = code;
  throw new Exit();
};

process.on("message", async ({ args, env }: CommandRequest) => {
  Object.assign(printed, { stdout: "", stderr: "" });
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
  process.exitCode = undefined;
  try {
    await runProgram(process.argv);
  } catch (error) {
    if (!(error instanceof Exit)) {
      printed.stderr += (error as Error).stack;
      process.exitCode = 1;
    }
  }
  for (const name of ["stdout", "stderr"] as const) process[name].removeAllListeners("error");
  process.send?.({ exitCode: Number(process.exitCode ?? 0), ...printed } satisfies CliResult);
});
