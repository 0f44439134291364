import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { isPrivate, temporaryDirectory, userSocketPath } from "./places.ts";
import { storeLocation, storeOf } from "./store-location.ts";

// Where the daemon lies that the Python package starts for this user and store. Python has the same
// rule; test/vectors/own-daemon.json holds both languages to it.

/** Settings that decide what is accepted and what is written. Who sets them gets a daemon that goes by them. */
const decisive = [
  "ARCHIVE_FORMAT",
  "COMPILE_CACHE_ALLOWED_DIRS",
  "COMPILE_CACHE_B10_ARCHIVES",
  "COMPILE_CACHE_CONFIG_FILE",
  "COMPILE_CACHE_PROFILES_FILE",
  "COMPILE_CACHE_REFRESH_MIN_PERCENT",
  "COMPILE_CACHE_REVISION",
  "COMPILE_CACHE_SAVER",
  "COMPILE_CACHE_SIGNING_KEY",
  "COMPILE_CACHE_TOKENS_FILE",
  "COMPILE_CACHE_TRUSTED_KEYS",
  "LOCAL_WORK_DIR",
  "MAX_CACHE_SIZE_MB",
  "MAX_CONTENT_SIZE_MB",
  "MAX_FILE_COUNT",
];

/** How an object store is reached, with whose rights, and who is trusted there. */
const ofObjectStores = [
  "HTTPS_PROXY",
  "HTTP_PROXY",
  "NO_PROXY",
  "https_proxy",
  "http_proxy",
  "no_proxy",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_DIR",
  "SSL_CERT_FILE",
];
const prefixesOfObjectStores = ["AWS_", "COMPILE_CACHE_S3_"];

/** A socket's address is a URL to gRPC, one of a list to the daemon, and at most 107 bytes long. */
const plainPath = /^\/[A-Za-z0-9._/@+=~-]{1,70}$/;

/** What the files of such a daemon are called, without what their names end in. */
export interface OwnDaemonName {
  /** Stands for the store, the user and what surrounds the process. */
  readonly base: string;
  /** The base, and what stands for those settings, where there are any. */
  readonly name: string;
}

/** The name that this process's own daemon has. */
export function ownDaemonName(
  env: NodeJS.ProcessEnv,
  around: readonly string[] = surroundings(),
): OwnDaemonName {
  const store = storeLocation(storeOf(env));
  const base = `own-${digest([store, String(process.getuid?.()), ...around], 12)}`;
  const isOfObjects = store.startsWith("s3://");
  const settings = Object.entries(env)
    .filter(([name, text]) => text && (decisive.includes(name) || (isOfObjects && decides(name))))
    .map(([name, text]) => `${name}=${text}`)
    .sort(byBytes);
  return { base, name: settings.length === 0 ? base : `${base}-${digest(settings, 8)}` };
}

function decides(name: string): boolean {
  return (
    ofObjectStores.includes(name) ||
    prefixesOfObjectStores.some((prefix) => name.startsWith(prefix))
  );
}

function byBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function digest(texts: readonly string[], length: number): string {
  return createHash("sha256").update(texts.join("\0")).digest("hex").slice(0, length);
}

/** What tells apart processes to which one path is two directories: containers may share a socket's directory. */
function surroundings(): string[] {
  return [
    bootId(),
    ...["/proc/self/ns/mnt", "/"].map((path) => {
      try {
        const { dev, ino } = statSync(path, { bigint: true });
        return `${dev}:${ino}`;
      } catch {
        return "";
      }
    }),
  ];
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/** The directories where such a daemon's files may be, the best first. */
export function ownDaemonDirectories(env: NodeJS.ProcessEnv): string[] {
  const mine = `compilecache-${process.getuid?.()}`;
  const cacheHome = env.XDG_CACHE_HOME || `${home(env).replace(/\/+$/, "")}/.cache`;
  const candidates = [
    dirname(userSocketPath(env)),
    `/tmp/${mine}`,
    join(resolve(temporaryDirectory(env)), mine),
    `/dev/shm/${mine}`,
    `/var/tmp/${mine}`,
    cacheHome.endsWith("/") ? `${cacheHome}compilecache` : `${cacheHome}/compilecache`,
  ];
  return [...new Set(candidates)].filter((directory) => plainPath.test(directory));
}

function home({ HOME }: NodeJS.ProcessEnv): string {
  if (HOME !== undefined) return HOME;
  try {
    return homedir();
  } catch {
    // A user without an account, as containers have, has none: what this names is passed over.
    return "~";
  }
}

/**
 * Sockets where this process's own daemon may listen, the best first: those of its very name, then, where
 * it sets none of the settings that decide, those of any daemon of this store.
 */
export function ownDaemonSockets(env: NodeJS.ProcessEnv): string[] {
  const { base, name } = ownDaemonName(env);
  const directories = ownDaemonDirectories(env).filter(isPrivate);
  const exact = directories.map((directory) => `${directory}/${name}.sock`);
  if (name !== base) return exact;
  const others = directories.flatMap((directory) =>
    namesIn(directory)
      .filter((found) => found.startsWith(`${base}-`) && found.endsWith(".sock"))
      .sort()
      .map((found) => `${directory}/${found}`),
  );
  return [...exact, ...others];
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
