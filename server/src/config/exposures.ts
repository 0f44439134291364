import { opendirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { ListenAddress } from "../listen/listen-address.ts";
import type { AllowedDir } from "../local/allowed-dirs.ts";
import type { ConfiguredListener } from "./access-file.ts";
import { quoted } from "./parse/values.ts";

const othersRead = 0o004;
const othersWrite = 0o002;
const others = 0o007;
/** A directory of users has two of them among so many. */
const mostEntries = 100;

/** What a file is to be kept from: its rights are warned of that are wider. */
export type Keep = "from readers" | "from writers";

/** A sentence about a file that every user of this machine may read, or change, and should not. */
export function fileExposure(path: string, keep: Keep): string | undefined {
  const mode = statOf(path)?.mode ?? 0;
  if ((mode & othersWrite) !== 0)
    return `${quoted(path)} can be changed by every user of this machine; take that right away: chmod o-w`;
  if (keep === "from writers" || (mode & othersRead) === 0) return undefined;
  return `${quoted(path)} can be read by every user of this machine; keep its secrets: chmod o-r`;
}

/**
 * Sentences about directories that callers at these addresses may name, and that others than one user fill,
 * or that are all there are.
 */
export function directoryExposures(
  allowed: readonly AllowedDir[],
  addresses: readonly ListenAddress[],
): string[] {
  if (allowed.some(({ throughLinks }) => throughLinks) && !addresses.every(isOfOneUser))
    return ["who can connect may name any directory; listen in a directory that one user enters"];
  const dirs = allowed.filter(({ throughLinks }) => !throughLinks);
  return [...new Set(dirs.map(({ daemonPath }) => daemonPath))].flatMap((path) => {
    const mode = statOf(path)?.mode ?? 0;
    const owners = ownersIn(path);
    return [
      ...((mode & othersWrite) === 0
        ? []
        : [
            `${quoted(path)} can be written to by every user of this machine; ` +
              "allow a directory that only its user or group fills",
          ]),
      ...(owners.length < 2
        ? []
        : [
            `${quoted(path)} holds directories of several users (${owners.join(", ")}), and who may ` +
              "name one may name all; give each user a listener whose rules name theirs alone",
          ]),
    ];
  });
}

/** Sentences about what the listeners of a configuration file open wider than by default. */
export function listenerExposures(listeners: readonly ConfiguredListener[]): string[] {
  return listeners.flatMap(({ listener: { address, socket, tls }, directories }, index) => {
    const place = `listeners[${index + 1}]`;
    const key = tls && fileExposure(tls.key, "from readers");
    const isOpen = address?.kind === "unix" && (socket.mode & others) !== 0;
    const mode = `0${socket.mode.toString(8)}`;
    return [
      ...(isOpen
        ? [`.mode: "${mode}" lets every user of this machine connect; give "0660", and a group`]
        : []),
      ...(key ? [`.tls.key: ${key}`] : []),
      ...directoryExposures(directories, address ? [address] : []).map(
        (words) => `.rules: ${words}`,
      ),
    ].map((words) => place + words);
  });
}

function isOfOneUser(address: ListenAddress): boolean {
  return address.kind === "unix" && ((statOf(dirname(address.path))?.mode ?? 0o777) & 0o077) === 0;
}

/** The users, by their numbers, whose directories lie in a directory. What is root's is the machine's. */
function ownersIn(path: string): number[] {
  const owners = new Set<number>();
  try {
    const directory = opendirSync(path);
    try {
      for (let seen = 0; seen < mostEntries; seen++) {
        const entry = directory.readSync();
        if (!entry) break;
        const uid = entry.isDirectory() ? statOf(`${path}/${entry.name}`)?.uid : 0;
        if (uid) owners.add(uid);
      }
    } finally {
      directory.closeSync();
    }
  } catch {
    // It may not be there yet.
  }
  return [...owners].toSorted((a, b) => a - b);
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
