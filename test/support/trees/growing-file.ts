import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import type { TestContext } from "node:test";
import { eventually } from "../eventually.ts";

const writer = 'while :; do printf more >> "$1"; sleep 0.02; done';

/**
 * Has a process of its own write to a file every 20 ms until the test ends, or until what this returns
 * is called, so that the file is always young however late the test itself comes to its turn. Resolves
 * once it has begun.
 */
export async function keepGrowing(t: TestContext, path: string): Promise<() => void> {
  const sizeBefore = existsSync(path) ? statSync(path).size : 0;
  const child = spawn("sh", ["-c", writer, "sh", path], { stdio: "ignore" });
  const stop = () => void child.kill("SIGKILL");
  t.after(stop);
  await eventually("the first write", () => existsSync(path) && statSync(path).size > sizeBefore);
  return stop;
}
