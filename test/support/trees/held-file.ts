import type { TestContext } from "node:test";
import { type Held, holdBy } from "./held.ts";

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

/** Makes a file that exists hang in open(2), until it is released or the test ends. */
export function holdFile(t: TestContext, path: string): Promise<Held> {
  return holdBy(t, holder, path);
}
