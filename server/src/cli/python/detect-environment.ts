import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { UsageError } from "../errors/usage-error.ts";
import { findPython, pythonProgram } from "./find-python.ts";

const longestMs = 60_000;
const toldAfterMs = 1000;

/** What `compilecache env --json` prints, by the Python that is named or found. Throws UsageError. */
export async function detectByPython(
  named: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const python = findPython(named, "finding the environment");
  const begun = performance.now();
  // A person who waits wants to know why; a script that reads stderr wants errors alone.
  const tell = (text: string) => {
    if (process.stderr.isTTY) process.stderr.write(`compilecache: ${text}\n`);
  };
  const notice = setTimeout(() => tell(`asking ${python} for the environment`), toldAfterMs);
  try {
    const { stdout } = await promisify(execFile)(python, [pythonProgram(), "env", "--json"], {
      signal,
      timeout: longestMs,
    });
    return stdout;
  } catch (error) {
    signal.throwIfAborted();
    const { stderr = "", message } = error as Error & { stderr?: string };
    const [why = message] = stderr.trim().split("\n").slice(-1).filter(Boolean);
    throw new UsageError(why.replace(/^compilecache: /, ""));
  } finally {
    clearTimeout(notice);
    const seconds = (performance.now() - begun) / 1000;
    if (seconds * 1000 > toldAfterMs) tell(`that took ${seconds.toFixed(1)} s; --key saves it`);
  }
}
