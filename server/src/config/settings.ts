import { resolve } from "node:path";
import { systemSocketPath, torchDefaultDirectory } from "compilecache-client/places";
import { archiveFormats } from "../domain/cache-id.ts";
import { type LogFormat, logFormats, logLevels } from "../domain/logger.ts";
import { builtInProfiles } from "../domain/profile.ts";
import type { ListenAddress } from "../listen/listen-address.ts";
import type { AllowedDir } from "../local/allowed-dirs.ts";
import type { StoreLocation } from "../store/open-store.ts";
import { type ConfiguredListener, parseAccessFile } from "./access-file.ts";
import { defaultMaxConnections } from "./defaults/default-max-connections.ts";
import { defaultWorkers, mostWorkers } from "./defaults/default-workers.ts";
import { gcSettings } from "./gc-settings.ts";
import { originSettings } from "./origin-settings.ts";
import { parseLogFormat, parseLogLevel } from "./parse/log-words.ts";
import {
  oneOf,
  parseAllowedDirs,
  parseDirectory,
  parseFlag,
  parseKeyId,
  parseListen,
  parseProfilesFile,
  parseStore,
  parseTokensFile,
  wholeNumber,
} from "./parse/values.ts";
import { setting } from "./setting.ts";
import { signingSettings } from "./signing-settings.ts";

const bytesPerMb = 1024 * 1024;
const mostMb = 1024 ** 3;
const s3Encryptions = ["AES256", "aws:kms", "aws:kms:dsse"] as const;

/** Everything that can be configured, in the order of the help. */
export const settings = {
  torchCacheDir: setting({
    variable: "TORCH_CACHE_DIR",
    // torch takes a relative path, too.
    other: {
      variable: "TORCHINDUCTOR_CACHE_DIR",
      parse: (text) => parseDirectory(resolve(text)),
    },
    placeholder: "dir",
    description: "the local directory, where torch reads and writes its cache",
    fallback: {
      make: (_values, environment) => torchDefaultDirectory(environment),
      shown: "TORCHINDUCTOR_CACHE_DIR, else torchinductor_<user> in the temporary directory",
    },
    verbatim: true,
    parse: parseDirectory,
  }),
  fileStoreDir: setting({
    variable: "B10FS_CACHE_DIR",
    placeholder: "dir",
    description: "place of the file store, unless a store is named",
    fallback: "/cache/model/compile_cache",
    parse: parseDirectory,
  }),
  store: setting({
    variable: "COMPILE_CACHE_STORE",
    placeholder: "url",
    description: "where archives live: file:///path or s3://bucket/prefix",
    fallback: {
      make: ({ fileStoreDir }): StoreLocation => ({ kind: "file", path: String(fileStoreDir) }),
      shown: "file:// and B10FS_CACHE_DIR",
    },
    parse: parseStore,
  }),
  b10Archives: setting({
    variable: "COMPILE_CACHE_B10_ARCHIVES",
    placeholder: "dir",
    description:
      "where b10-transfer keeps archives, of which a load takes its machine's where the store has none; or none",
    fallback: {
      make: (): string | undefined => undefined,
      shown: "the place of the file store, and there those of GPUs",
    },
    parse: (text): string | undefined => (text === "none" ? text : parseDirectory(text)),
  }),
  s3Anonymous: setting({
    variable: "COMPILE_CACHE_S3_ANONYMOUS",
    placeholder: "flag",
    description: "true: read a public bucket without credentials, which refuses saves",
    fallback: "false",
    parse: parseFlag,
  }),
  s3Sse: setting({
    variable: "COMPILE_CACHE_S3_SSE",
    placeholder: "algorithm",
    description: `encryption that saves ask the object store for: ${s3Encryptions.join(", ")}`,
    fallback: { make: () => undefined, shown: "the bucket's own" },
    parse: (text) => (text === "" ? undefined : oneOf(s3Encryptions)(text)),
  }),
  s3SseKmsKeyId: setting({
    variable: "COMPILE_CACHE_S3_SSE_KMS_KEY_ID",
    placeholder: "key",
    description: "key for aws:kms and aws:kms:dsse: its id, alias or ARN",
    fallback: { make: () => undefined, shown: "the account's own for S3" },
    parse: (text) => (text === "" ? undefined : parseKeyId(text)),
  }),
  workDir: setting({
    variable: "LOCAL_WORK_DIR",
    shared: true,
    placeholder: "dir",
    description: "a directory that copies may read and write, besides the allowed ones",
    fallback: { make: (): string | undefined => undefined, shown: "none, and no copies" },
    parse: (text): string | undefined => parseDirectory(text),
  }),
  allowedDirs: setting({
    variable: "COMPILE_CACHE_ALLOWED_DIRS",
    placeholder: "dirs",
    description:
      "directories that callers may name: path or client-path=daemon-path; or any, where only one user can connect",
    fallback: {
      make: ({ torchCacheDir }): readonly AllowedDir[] => {
        const path = String(torchCacheDir);
        return [{ clientPath: path, daemonPath: path }];
      },
      shown: "the local directory alone",
    },
    list: true,
    parse: parseAllowedDirs,
  }),
  listen: setting({
    variable: "COMPILE_CACHE_LISTEN",
    placeholder: "addresses",
    description: "where to listen: unix:/path, host:port or [ipv6]:port; port 0 takes a free one",
    fallback: {
      make: (): readonly ListenAddress[] => [],
      shown: `unix:${systemSocketPath}, or else a socket in the user's runtime directory`,
    },
    list: true,
    parse: parseListen,
  }),
  plaintext: setting({
    variable: "COMPILE_CACHE_PLAINTEXT",
    placeholder: "flag",
    description: "true: other machines may call without encryption, where an address lets them",
    fallback: "false",
    parse: parseFlag,
  }),
  configFile: setting({
    variable: "COMPILE_CACHE_CONFIG_FILE",
    placeholder: "file",
    description: "YAML: listeners, their certificates and tokens, and who may do what there",
    fallback: {
      make: (): readonly ConfiguredListener[] | undefined => undefined,
      shown: "none: who can connect may do everything",
    },
    keep: "from writers",
    parse: (text): readonly ConfiguredListener[] | undefined => parseAccessFile(text),
  }),
  tokens: setting({
    variable: "COMPILE_CACHE_TOKENS_FILE",
    placeholder: "file",
    description: 'tokens that callers must show: a line each, "read" or "write", then the token',
    fallback: { make: () => undefined, shown: "none, every caller is admitted" },
    keep: "from readers",
    parse: parseTokensFile,
  }),
  ...signingSettings,
  ...originSettings,
  archiveFormat: setting({
    variable: "ARCHIVE_FORMAT",
    shared: true,
    placeholder: "format",
    description: `how archives are written: ${archiveFormats.join(" or ")}`,
    fallback: archiveFormats[0],
    parse: oneOf(archiveFormats),
  }),
  profiles: setting({
    variable: "COMPILE_CACHE_PROFILES_FILE",
    placeholder: "file",
    description:
      'more profiles for saves: JSON, {"name": {"include": [globs], "exclude": [globs]}}',
    fallback: { make: () => builtInProfiles, shown: "none" },
    parse: parseProfilesFile,
  }),
  refreshMinPercent: setting({
    variable: "COMPILE_CACHE_REFRESH_MIN_PERCENT",
    placeholder: "percent",
    description: "new files or bytes, of the stored ones, that make a refresh worth it",
    fallback: "1",
    parse: wholeNumber(0, 100),
  }),
  maxArchiveBytes: setting({
    variable: "MAX_CACHE_SIZE_MB",
    shared: true,
    placeholder: "mb",
    description: "largest archive, in MB of 1,048,576 bytes",
    fallback: "1024",
    parse: wholeNumber(1, mostMb, bytesPerMb),
  }),
  maxContentBytes: setting({
    variable: "MAX_CONTENT_SIZE_MB",
    shared: true,
    placeholder: "mb",
    description: "most that an archive may unpack to, in MB",
    fallback: "32768",
    parse: wholeNumber(1, mostMb, bytesPerMb),
  }),
  maxFileCount: setting({
    variable: "MAX_FILE_COUNT",
    shared: true,
    placeholder: "count",
    description: "most files that an archive may hold",
    fallback: "1000000",
    parse: wholeNumber(1, 100_000_000),
  }),
  workers: setting({
    variable: "COMPILE_CACHE_WORKERS",
    placeholder: "count",
    description: "worker threads that pack and unpack",
    fallback: {
      make: () => defaultWorkers(),
      shown: "the CPUs that this process may use, but one for each 256 MiB of memory at most",
    },
    parse: wholeNumber(1, mostWorkers),
  }),
  workerIdleMs: setting({
    variable: "COMPILE_CACHE_WORKER_IDLE_SECONDS",
    placeholder: "seconds",
    description: "how long worker threads, and their memory, outlast their work",
    fallback: "0",
    parse: wholeNumber(0, 3600, 1000),
  }),
  saveNice: setting({
    variable: "COMPILE_CACHE_SAVE_NICE",
    placeholder: "nice",
    description: "how far saves stand back for other work, 0 to 19",
    fallback: "10",
    parse: wholeNumber(0, 19),
  }),
  maxConnections: setting({
    variable: "COMPILE_CACHE_MAX_CONNECTIONS",
    placeholder: "count",
    description: "how many connections may be open; who calls is let in before who does not",
    fallback: {
      make: ({ workers }) => defaultMaxConnections(Number(workers)),
      shown: "1024, or fewer where the limit of open files leaves fewer",
    },
    parse: wholeNumber(1, 65_536),
  }),
  ...gcSettings,
  shutdownGraceMs: setting({
    variable: "SHUTDOWN_GRACE_SECONDS",
    shared: true,
    placeholder: "seconds",
    description: "how long running transfers may go on after SIGTERM",
    fallback: "10",
    parse: wholeNumber(0, 3600, 1000),
  }),
  idleExitMs: setting({
    variable: "COMPILE_CACHE_IDLE_EXIT_SECONDS",
    placeholder: "seconds",
    description: "stop after this long without a connection and a running transfer; 0: never",
    fallback: "0",
    parse: wholeNumber(0, 86_400, 1000),
  }),
  logLevel: setting({
    variable: "LOG_LEVEL",
    shared: true,
    placeholder: "level",
    description: `least important lines to log: ${logLevels.join(", ")}`,
    fallback: "info",
    parse: parseLogLevel,
  }),
  logFormat: setting({
    variable: "LOG_FORMAT",
    shared: true,
    placeholder: "format",
    description: `how log lines look: ${logFormats.join(" or ")}`,
    fallback: {
      make: (): LogFormat => (process.stdout.isTTY ? "human" : "json"),
      shown: "human on a terminal, else json",
    },
    parse: parseLogFormat,
  }),
};

export type { Setting } from "./setting.ts";

type Settings = typeof settings;
export type SettingKey = keyof Settings;

/** What the daemon runs with. */
export type Config = {
  readonly [K in SettingKey]: ReturnType<Settings[K]["parse"]>;
};

/** Name of a setting's flag: its variable's in lower case with dashes, without COMPILE_CACHE_. */
export function flagOf(key: SettingKey): string {
  return longFlag(settings[key].variable.replace(/^COMPILE_CACHE_/, ""));
}

/** The flag that keeps COMPILE_CACHE_, where the variable has that. */
export function prefixedFlagOf(key: SettingKey): string | undefined {
  const { variable } = settings[key];
  return variable.startsWith("COMPILE_CACHE_") ? longFlag(variable) : undefined;
}

const longFlag = (variable: string): string => `--${variable.toLowerCase().replaceAll("_", "-")}`;
