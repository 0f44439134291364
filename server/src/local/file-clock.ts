import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { ownPrefix } from "../domain/own-names.ts";
import { pathAt, pathOfHandle } from "./tree/pinned-directory.ts";

/** The numbers, in statfs(2), of file systems whose files another machine or program dates. */
const datedElsewhere = new Set([
  0x6969, // NFS
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x65735546, // FUSE
  0x01021997, // 9P
  0x00c36400, // Ceph
  0x0bd00bd0, // Lustre
  0x47504653, // GPFS
  0x5346414f, // AFS
]);

/**
 * The present by which a file of an open directory is certainly that old, in milliseconds since 1970:
 * by this machine's clock, and by the clock of who dates the files where that is another and is behind.
 */
export function presentOfFiles(fd: number): number {
  const nowMs = Date.now();
  if (!datedElsewhere.has(fs.statfsSync(pathOfHandle(fd)).type)) return nowMs;
  return Math.min(nowMs, timeOfNewFile(fd) ?? nowMs);
}

/** Only a new file shows that clock; undefined where none can be made. */
function timeOfNewFile(fd: number): number | undefined {
  const path = pathAt(fd, `${ownPrefix}clock-${randomBytes(8).toString("hex")}`);
  try {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
    const probe = fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      return fs.fstatSync(probe).mtimeMs;
    } finally {
      fs.closeSync(probe);
      fs.unlinkSync(path);
    }
  } catch {
    return undefined;
  }
}
