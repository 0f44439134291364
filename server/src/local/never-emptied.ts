import * as fs from "node:fs";
import { CacheError } from "../domain/cache-error.ts";
import { canonical, isWithin } from "./allowed-dirs.ts";
import { homesOf } from "./homes.ts";
import { anyEntriesIn, namesIn, textOf } from "./tree/entries.ts";
import { isOrHolds } from "./tree/mounts.ts";
import { currentPath, pathAt } from "./tree/pinned-directory.ts";

/** Where the system's own files are: nothing in there is a cache. */
const systemTrees =
  "/bin /boot /etc /lib /lib32 /lib64 /libx32 /proc /sbin /sys " +
  "/usr/bin /usr/include /usr/lib /usr/lib32 /usr/lib64 /usr/libexec /usr/sbin /usr/share " +
  "/usr/local/bin /usr/local/etc /usr/local/include /usr/local/lib /usr/local/lib64 /usr/local/libexec " +
  "/usr/local/sbin /usr/local/share /var/lib/apt /var/lib/dpkg /var/lib/rpm /var/lib/systemd /var/spool/cron";

/** Directories that belong to no one program; a cache may lie below. */
const sharedDirectories =
  "/ /app /dev /dev/shm /home /media /mnt /opt /root /run /run/lock /run/user /srv /tmp /usr /usr/local /usr/src " +
  "/var /var/cache /var/lib /var/lock /var/log /var/mail /var/opt /var/run /var/spool /var/tmp /workspace";

/** What programs share in a home directory; a cache may lie below, but for that of keys. */
const sharedInHome = ["", ".cache", ".config", ".local/share", ".local/state", ".ssh"];

/** What no cache holds, at its top or one below, but what people work on, or run. */
const foreign: Readonly<Record<string, string>> = {
  ".git": "a repository",
  ".hg": "a repository",
  ".svn": "a repository",
  ".jj": "a repository",
  "pyvenv.cfg": "a Python environment",
  "conda-meta": "a Python environment",
};

/** An archive of a store of ours, or of b10-transfer's. */
const archive = /^cache_[0-9a-f]{12,16}(\..+)?\.latest\.tar\.(gz|zst)$/;

/**
 * Throws PATH_NOT_ALLOWED for an open directory that is never emptied, by a clear or a load that replaces,
 * whoever asks and whatever is allowed: where the system, a user or several programs keep their files, or
 * where people work.
 */
export function requireMayEmpty({ fd, path }: { fd: number; path: string }): void {
  const why = whyNever(fd);
  if (why === undefined) return;
  throw new CacheError(
    "PATH_NOT_ALLOWED",
    `${path} is never emptied, neither by a clear nor by a load that replaces: it ${why}. Name the ` +
      "directory that holds the cache and nothing else, or remove by hand what is to go",
  );
}

function whyNever(fd: number): string | undefined {
  const path = currentPath(fd);
  if (systemTrees.split(" ").some((tree) => isWithin(path, tree))) return "belongs to the system";
  for (const home of homesOf(fs.fstatSync(fd).uid)) {
    const place = sharedInHome.find((below) => isOrHolds(path, canonical(`${home}/${below}`)));
    if (place === "") return `is, or holds, the home directory ${home}`;
    if (place !== undefined)
      return `is, or holds, ${home}/${place}, where many programs keep files`;
  }
  if (sharedDirectories.split(" ").includes(path)) return "belongs to no program alone";
  return whyByContent(fd);
}

function whyByContent(fd: number): string | undefined {
  for (const { name, stat } of anyEntriesIn(fd, namesIn(fd))) {
    const shown = textOf(name);
    if (Object.hasOwn(foreign, shown)) return `holds ${foreign[shown]} (${shown})`;
    if (archive.test(shown)) return `holds stored caches (${shown})`;
    if (!stat?.isDirectory()) continue;
    if (shown.startsWith("torchinductor_")) return `holds whole caches (${shown})`;
    const inside = Object.keys(foreign).find((inside) => holdsEntry(pathAt(fd, name), inside));
    if (inside) return `holds ${foreign[inside]} (${shown}/${inside})`;
  }
  return undefined;
}

/** What may not be searched by this user cannot be emptied either. */
function holdsEntry(directory: string | Buffer, name: string): boolean {
  try {
    fs.lstatSync(Buffer.concat([Buffer.from(directory as string), Buffer.from(`/${name}`)]));
    return true;
  } catch {
    return false;
  }
}
