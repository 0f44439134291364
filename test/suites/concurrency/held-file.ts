import { spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";

/** Takes a write lease on a file: the kernel lets whoever opens it wait, for 45 s or until we end. */
const holder = `
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.read()
`;

/** A file that does not open, as if it were on a dead mount. */
export interface HeldFile {
  /** Lets go: who waits for it goes on. */
  release(): Promise<void>;
}

/** Makes a file that exists hang in open(2), until it is released or the test ends. */
export async function holdFile(t: TestContext, path: string): Promise<HeldFile> {
  const child = spawn("python3", ["-c", holder, path], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  t.after(() => child.kill("SIGKILL"));
  await Promise.race([
    once(child.stdout, "data"),
    ended.then(() => Promise.reject(new Error(`no lease on ${path}`))),
  ]);
  return {
    async release() {
      child.stdin.end();
      await ended;
    },
  };
}
