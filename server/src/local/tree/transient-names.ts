import { ownPrefix } from "../../domain/own-names.ts";

/** Prefix of stages: directories that hold a load or copy until it is published. */
export const stagePrefix = `${ownPrefix}stage-`;

/**
 * Name of the marker: a file that is present while a local directory is only partly filled, and so not
 * loaded.
 */
export const notLoadedMarker = `${ownPrefix}not-loaded`;

const transientFile = [
  /\.lock$/, // torch's and Triton's file locks
  /\.(tmp|temp|part|partial|incomplete)$/,
  /^\.[0-9]+\.[0-9]+\.tmp/, // torch's write_atomic
  /^\.nfs[0-9a-f]{8}/, // what an NFS client leaves of a file that was removed while open
  /~$/,
  /^\.#|^#.*#$/,
  /\.sw[a-p]$/,
];
/** What a file system or a desktop keeps for itself; any of it may hold far more than a cache does. */
const systemDirectory = [/^lost\+found$/, /^\.snapshots?$/, /^\.zfs$/, /^\.Trash(-[0-9]+)?$/];
const transientDirectory = [
  /^locks$/, // torch's folder of file locks
  /^tmp\.pid_[0-9]+/, // where Triton writes before it renames
];

/** Whether a file of this name is a lock, a temporary file or an editor's, which is never saved. */
export function isTransientFile(name: string): boolean {
  return name.startsWith(ownPrefix) || transientFile.some((pattern) => pattern.test(name));
}

/** Whether a directory of this name holds only such files, and is never saved. */
export function isTransientDirectory(name: string): boolean {
  return name.startsWith(ownPrefix) || transientDirectory.some((pattern) => pattern.test(name));
}

/** Whether a directory of this name is the file system's or a desktop's: neither saved nor removed. */
export function isSystemDirectory(name: string): boolean {
  return systemDirectory.some((pattern) => pattern.test(name));
}
