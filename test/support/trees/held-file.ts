import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

/**
 * Takes a write lease on a file: the kernel lets whatever opens it wait until we end, or for 45 s. It
 * tells us of the first that waits by SIGIO.
 */
const holder = `
import fcntl, os, signal, sys, time
deadline = None
def asked(*_):
    global deadline
    if deadline is None:
        deadline = time.monotonic() + int(open("/proc/sys/fs/lease-break-time").read())
        print("asked", flush=True)
signal.signal(signal.SIGIO, asked)
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.read()
sys.exit(deadline is not None and time.monotonic() > deadline)
`;

/** A file that does not open, as if it were on a dead mount. */
export interface HeldFile {
  /** Resolves once something waits for it in open(2). */
  readonly asked: Promise<void>;
  /** Lets go. Throws if the kernel has let go before, so that what was seen meanwhile proves nothing. */
  release(): Promise<void>;
}

/** Makes a file that exists hang in open(2), until it is released or the test ends. */
export async function holdFile(t: TestContext, path: string): Promise<HeldFile> {
  const child = spawn("python3", ["-c", holder, path], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  t.after(() => child.kill("SIGKILL"));
  const [held, asked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  createInterface(child.stdout).on("line", (line) => {
    (line === "held" ? held : asked).resolve();
  });
  const none = ended.then(() => Promise.reject(new Error(`no lease on ${path}`)));
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
