import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { cannotMount } from "../machine/mounts.ts";

/** Why no directory can be held here, or false. */
export const cannotHold: string | false =
  cannotMount || (existsSync("/dev/fuse") ? false : "this kernel has no FUSE");

/**
 * A file system that answers the kernel's greeting, and then nothing: whoever looks at it waits, as on a
 * mount whose server died.
 */
const holder = `
import ctypes, os, select, struct, sys, threading
path = sys.argv[1].encode()
libc = ctypes.CDLL(None, use_errno=True)
fuse = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()
if libc.mount(b"held", path, b"fuse", 0, options) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
greeting = os.read(fuse, 1 << 17)
unique = struct.unpack_from("<Q", greeting, 8)[0]
answer = struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 0, 0, 4096, 1, 1, 0, 0)
os.write(fuse, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)
def listen():
    # Whoever asks can be killed as long as the question is not read.
    select.select([fuse], [], [])
    print("asked", flush=True)
threading.Thread(target=listen, daemon=True).start()
print("held", flush=True)
sys.stdin.read()
libc.umount2(path, 2)
os._exit(0)
`;

/** A directory that no answer comes from. */
export interface HeldDirectory {
  /** Resolves once something waits for it. */
  readonly asked: Promise<void>;
  /** Unmounts it: what waits gets an error. */
  release(): Promise<void>;
}

/** Makes a directory, and lets hang what looks at it, until it is released or the test ends. */
export async function holdDirectory(t: TestContext, path: string): Promise<HeldDirectory> {
  mkdirSync(path);
  const child = spawn("python3", ["-c", holder, path], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  t.after(() => {
    child.kill("SIGKILL");
    spawnSync("umount", ["-l", path], { stdio: "ignore" });
  });
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
      await ended;
    },
  };
}
