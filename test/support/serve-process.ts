import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(import.meta.resolve("../../server/bin/compilecache.js"));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** `compilecache serve` as a process of its own. */
export interface ServeProcess {
  readonly child: ChildProcess;
  /** Log lines so far. */
  readonly lines: Record<string, unknown>[];
  /** Waits for a line with this message. */
  line(message: string): Promise<Record<string, unknown>>;
  readonly ended: Promise<Ended>;
}

/** Starts it with these flags and variables, and no others; it is killed with the test. */
export function spawnServe(
  t: TestContext,
  flags: string[],
  environment: Record<string, string> = {},
): ServeProcess {
  const child = spawn(process.execPath, [program, "serve", ...flags], {
    env: { PATH: process.env.PATH ?? "", LOG_FORMAT: "json", ...environment },
  });
  t.after(() => child.kill("SIGKILL"));
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const lines: Record<string, unknown>[] = [];
  const reader = createInterface(child.stdout);
  reader.on("line", (line) => {
    if (line.startsWith("{")) lines.push(JSON.parse(line));
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, stderr }));
  const line = async (message: string) => {
    for (;;) {
      const found = lines.find((candidate) => candidate.message === message);
      if (found) return found;
      const over = await Promise.race([once(reader, "line").then(() => false), ended]);
      if (over)
        throw new Error(`it ended without "${message}": ${JSON.stringify({ over, lines })}`);
    }
  };
  return { child, lines, line, ended };
}
