import { accessSync, constants, lstatSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

export { whyNoDirectory, whyNoStore } from "./store-url.ts";

// Where things lie by default, for the daemon, the command line and clients alike. Python has the same
// rules; test/vectors/places.json holds both languages to them.

/** The socket of a daemon for all users of a machine. */
export const systemSocketPath = "/run/compilecache/compilecache.sock";

/**
 * The socket of a daemon that has no right to the system's: in XDG_RUNTIME_DIR where this user owns that
 * directory and a socket in it can be named, else in a directory of /tmp.
 */
export function userSocketPath(env: NodeJS.ProcessEnv): string {
  const runtimeDir = env.XDG_RUNTIME_DIR ?? "";
  const directory = resolve(runtimeDir);
  const socket = `${directory}/compilecache/compilecache.sock`;
  // A process that changed its user may still have the variable of the first one.
  return isAbsolute(runtimeDir) && isOurs(directory) && canBeNamed(socket)
    ? socket
    : `/tmp/compilecache-${process.getuid?.()}/compilecache.sock`;
}

/** Whether a path is a directory of this user's. */
export function isOurs(directory: string): boolean {
  try {
    const found = lstatSync(directory);
    return found.isDirectory() && found.uid === process.getuid?.();
  } catch {
    return false;
  }
}

/** Whether a path is a directory of this user's in which nobody else can put a socket, as anybody can in /tmp. */
export function isPrivate(directory: string): boolean {
  return isOurs(directory) && (lstatSync(directory).mode & 0o022) === 0;
}

/** gRPC reads an address as a URL, and the kernel takes 107 bytes. */
function canBeNamed(socket: string): boolean {
  return /^[\w/.~@+-]{1,107}$/.test(socket);
}

/**
 * Where torch keeps its cache, as an absolute path, in a process with these variables and without
 * TORCHINDUCTOR_CACHE_DIR: `torchinductor_<user>` in the temporary directory.
 */
export function torchDefaultDirectory(env: NodeJS.ProcessEnv): string {
  const user = env.LOGNAME || env.USER || env.LNAME || env.USERNAME || accountName();
  const name = user.replace(/[\\/:*?"<>|]/g, "_");
  return resolve(join(temporaryDirectory(env), `torchinductor_${name}`));
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an account, as containers have, and torch's word for one.
    return `uid_${process.getuid?.()}`;
  }
}

/** As Python's tempfile.gettempdir finds it: a variable that names no usable directory is passed over. */
export function temporaryDirectory({ TMPDIR, TEMP, TMP }: NodeJS.ProcessEnv): string {
  const candidates = [TMPDIR, TEMP, TMP, "/tmp", "/var/tmp", "/usr/tmp"];
  return candidates.find((directory) => directory && canHoldFiles(directory)) ?? process.cwd();
}

function canHoldFiles(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return statSync(directory).isDirectory();
  } catch {
    return false;
  }
}
