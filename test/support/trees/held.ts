import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

/** Something that does not open, as if it were on a dead mount. */
export interface Held {
  /** Resolves once something waits for it in open(2). */
  readonly asked: Promise<void>;
  /** Lets go. Throws if the kernel has let go before, so that what was seen meanwhile proves nothing. */
  release(): Promise<void>;
}

/**
 * Holds a path by a Python program until it is released or the test ends. The program gets the path,
 * prints "held", then "asked" when something waits, and lets go by ending when its input does.
 */
export async function holdBy(t: TestContext, program: string, path: string): Promise<Held> {
  const child = spawn("python3", ["-c", program, path], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  t.after(() => child.kill("SIGKILL"));
  const [held, asked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  createInterface(child.stdout).on("line", (line) => {
    (line === "held" ? held : asked).resolve();
  });
  const none = ended.then(() => Promise.reject(new Error(`${path} cannot be held`)));
  await Promise.race([held.promise, none]);
  none.catch(() => {});
  return {
    asked: asked.promise,
    async release() {
      child.stdin.end();
      const [exitCode] = await ended;
      if (exitCode !== 0) throw new Error(`the kernel held ${path} no longer`);
    },
  };
}
