import type { TestContext } from "node:test";
import { type Held, holdBy } from "./held.ts";

/**
 * Asks the kernel (fanotify(7)) to let whatever opens a directory wait for our word, which is the end
 * of this program.
 */
const holder = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
class_content, open_perm, on_dir, mark_add, at_cwd = 4, 0x10000, 0x40000000, 1, -100
fd = libc.fanotify_init(class_content, os.O_RDONLY)
events = ctypes.c_uint64(open_perm | on_dir)
if fd < 0 or libc.fanotify_mark(fd, mark_add, events, at_cwd, os.fsencode(sys.argv[1])) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("held", flush=True)
os.read(fd, 4096)
print("asked", flush=True)
sys.stdin.read()
`;

/** Why no directory can be held here, or false. */
export const cannotHold: string | false =
  process.getuid?.() === 0 ? false : "only root can hold a directory";

/** Makes a directory that exists hang in open(2), until it is released or the test ends. */
export function holdDirectory(t: TestContext, path: string): Promise<Held> {
  return holdBy(t, holder, path);
}
