import { fstatSync, readFileSync, readlinkSync } from "node:fs";
import { userInfo } from "node:os";
import { type DaemonState, processIdentity } from "compilecache-client/daemons";
import { harmless } from "./domain/harmless-text.ts";
import { toolVersion } from "./domain/tool-version.ts";
import type { StoreLocation } from "./store/open-store.ts";

export type { DaemonState };

const stdout = 1;

/** What this daemon says of itself to those who may connect. */
export function ownState(store: StoreLocation, addresses: readonly string[]): DaemonState {
  return {
    pid: process.pid,
    process: processIdentity(process.pid) ?? "",
    version: toolVersion,
    store: store.kind === "file" ? `file://${store.path}` : bucketUrl(store),
    addresses,
    log: logFile(),
    started_at: new Date().toISOString(),
    started_by: `${starter()}, as ${userName()}`,
  };
}

function bucketUrl({ bucket, prefix }: StoreLocation & { kind: "s3" }): string {
  return prefix === "" ? `s3://${bucket}` : `s3://${bucket}/${prefix}`;
}

/** The file that this process's output goes to; null where that is a pipe, a terminal, a journal. */
function logFile(): string | null {
  try {
    return fstatSync(stdout).isFile() ? readlinkSync(`/proc/self/fd/${stdout}`) : null;
  } catch {
    return null;
  }
}

/** In words: who starts it for other programs says so, and else it is the process above. */
function starter(): string {
  const said = process.env.COMPILE_CACHE_STARTED_BY?.trim();
  if (said) return harmless(said);
  return `process ${process.ppid}${programOf(process.ppid)}`;
}

function programOf(pid: number): string {
  try {
    return ` (${harmless(readFileSync(`/proc/${pid}/comm`, "utf8").trim())})`;
  } catch {
    return "";
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an account, as containers have.
    return `uid ${process.getuid?.()}`;
  }
}
