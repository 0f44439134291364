import fs, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

interface Lifetime {
  after(tidy: () => void): void;
}

type Call = (...args: never[]) => Promise<unknown>;
type Fault = (real: () => Promise<unknown>, args: readonly unknown[]) => Promise<unknown>;

/** An error as the system reports it. */
export function systemError(code: string, errno = -5): Error {
  return Object.assign(new Error(`${code}: injected`), { code, errno });
}

function replaceMember(t: Lifetime, owner: Record<string, Call>, member: string, fault: Fault) {
  const real = owner[member] as Call;
  owner[member] = function (this: unknown, ...args: never[]) {
    return fault(() => real.apply(this, args), args);
  };
  syncBuiltinESMExports();
  const restore = () => {
    owner[member] = real;
    syncBuiltinESMExports();
  };
  t.after(restore);
  return restore;
}

/** Puts a fault before a call of node:fs/promises; returns a function that takes it away. */
export function injectFault(t: Lifetime, call: string, fault: Fault): () => void {
  return replaceMember(t, fs as unknown as Record<string, Call>, call, fault);
}

/** Puts a fault before a call on open files; returns a function that takes it away. */
export async function injectFileFault(
  t: Lifetime,
  call: keyof FileHandle & string,
  fault: Fault,
): Promise<() => void> {
  const handle = await fs.open("/dev/null");
  const prototype = Object.getPrototypeOf(handle) as Record<string, Call>;
  await handle.close();
  return replaceMember(t, prototype, call, fault);
}

/** A fault in the closing of files that are made from now on: each open file has its own `close`. */
export function injectCloseFault(t: Lifetime, fault: Fault): void {
  injectFault(t, "open", async (real, [, flags]) => {
    const handle = (await real()) as FileHandle;
    if (flags !== "wx") return handle;
    const close = handle.close.bind(handle);
    handle.close = () => fault(close, []) as Promise<void>;
    t.after(() => void close().catch(() => {}));
    return handle;
  });
}

/** A fault that fails instead of the call. */
export const failing =
  (code: string): Fault =>
  () =>
    Promise.reject(systemError(code));

/** A fault that fails after the call was made, as when its answer is lost. */
export const failingAfterwards =
  (code: string): Fault =>
  async (real) => {
    await real();
    throw systemError(code);
  };

/** A fault that never answers. */
export const hanging: Fault = () => new Promise(() => {});
