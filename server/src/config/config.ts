import { availableParallelism, userInfo } from "node:os";
import { pathToFileURL } from "node:url";
import { archiveFormats } from "../domain/cache-id.ts";
import { logFormats, logLevels } from "../domain/logger.ts";
import { defaultSocketPath } from "../listen/default-socket.ts";
import {
  Mistake,
  oneOf,
  parseAllowedDirs,
  parseDirectory,
  parseEndpoint,
  parseFlag,
  parseListen,
  parseProfilesFile,
  parseStore,
  parseTokensFile,
  wholeNumber,
} from "./values.ts";

/**
 * The text that holds when nothing is given, or how it is made, from the texts of settings further
 * up and the environment, and what the help says of it.
 */
type Fallback =
  | string
  | {
      readonly make: (of: (key: string) => string, environment: NodeJS.ProcessEnv) => string;
      readonly shown: string;
    };

/** One thing that can be configured. */
interface Setting<T> {
  /** The environment variable; its flag has the same name. */
  readonly variable: string;
  /** Another variable that is asked when that one is unset. */
  readonly otherVariable?: string;
  /** The word for the value in the help. */
  readonly placeholder: string;
  readonly description: string;
  readonly fallback: Fallback;
  /** Whether the value is a comma-separated list, so that the flag may be repeated. */
  readonly list?: true;
  /** Throws a Mistake. */
  readonly parse: (text: string) => T;
}

const setting = <T>(setting: Setting<T>): Setting<T> => setting;
const bytesPerMb = 1024 * 1024;
const mostMb = 1024 ** 3;
const mostWorkers = 256;
const s3Encryptions = ["AES256", "aws:kms", "aws:kms:dsse"] as const;

/** Everything that can be configured, in the order of the help. */
export const settings = {
  torchCacheDir: setting({
    variable: "TORCH_CACHE_DIR",
    otherVariable: "TORCHINDUCTOR_CACHE_DIR",
    placeholder: "dir",
    description: "the local directory, where torch reads and writes its cache",
    fallback: {
      make: (_of, environment) => `/tmp/torchinductor_${userName(environment)}`,
      shown: "TORCHINDUCTOR_CACHE_DIR, else /tmp/torchinductor_<user>",
    },
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
      make: (of) => pathToFileURL(of("fileStoreDir")).href,
      shown: "file:// and B10FS_CACHE_DIR",
    },
    parse: parseStore,
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
    fallback: { make: () => "", shown: "the bucket's own" },
    parse: (text) => (text === "" ? undefined : oneOf(s3Encryptions)(text)),
  }),
  s3SseKmsKeyId: setting({
    variable: "COMPILE_CACHE_S3_SSE_KMS_KEY_ID",
    placeholder: "key",
    description: "key for aws:kms and aws:kms:dsse: its id, alias or ARN",
    fallback: { make: () => "", shown: "the account's own for S3" },
    parse: (text) => text || undefined,
  }),
  workDir: setting({
    variable: "LOCAL_WORK_DIR",
    placeholder: "dir",
    description: "a directory that copies may read and write",
    fallback: "/app",
    parse: parseDirectory,
  }),
  allowedDirs: setting({
    variable: "COMPILE_CACHE_ALLOWED_DIRS",
    placeholder: "dirs",
    description: "directories that callers may name: path or client-path=daemon-path",
    fallback: { make: (of) => of("torchCacheDir"), shown: "the local directory alone" },
    list: true,
    parse: parseAllowedDirs,
  }),
  listen: setting({
    variable: "COMPILE_CACHE_LISTEN",
    placeholder: "addresses",
    description: "where to listen: unix:/path, host:port or [ipv6]:port; port 0 takes a free one",
    fallback: {
      make: () => "",
      shown: `unix:${defaultSocketPath}, or else a socket in the user's runtime directory`,
    },
    list: true,
    parse: parseListen,
  }),
  tokens: setting({
    variable: "COMPILE_CACHE_TOKENS_FILE",
    placeholder: "file",
    description: 'tokens that callers must show: a line each, "read" or "write", then the token',
    fallback: { make: () => "", shown: "none, every caller is admitted" },
    parse: parseTokensFile,
  }),
  archiveFormat: setting({
    variable: "ARCHIVE_FORMAT",
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
    fallback: { make: () => "", shown: "none" },
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
    placeholder: "mb",
    description: "largest archive, in MB of 1,048,576 bytes",
    fallback: "1024",
    parse: wholeNumber(1, mostMb, bytesPerMb),
  }),
  maxContentBytes: setting({
    variable: "MAX_CONTENT_SIZE_MB",
    placeholder: "mb",
    description: "most that an archive may unpack to, in MB",
    fallback: "32768",
    parse: wholeNumber(1, mostMb, bytesPerMb),
  }),
  maxFileCount: setting({
    variable: "MAX_FILE_COUNT",
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
      make: () => String(Math.min(availableParallelism(), mostWorkers)),
      shown: "the CPUs that this process may use",
    },
    parse: wholeNumber(1, mostWorkers),
  }),
  saveNice: setting({
    variable: "COMPILE_CACHE_SAVE_NICE",
    placeholder: "nice",
    description: "how far saves stand back for other work, 0 to 19",
    fallback: "10",
    parse: wholeNumber(0, 19),
  }),
  shutdownGraceMs: setting({
    variable: "SHUTDOWN_GRACE_SECONDS",
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
    placeholder: "level",
    description: `least important lines to log: ${logLevels.join(", ")}`,
    fallback: "info",
    parse: oneOf(logLevels),
  }),
  logFormat: setting({
    variable: "LOG_FORMAT",
    placeholder: "format",
    description: `how log lines look: ${logFormats.join(" or ")}`,
    fallback: {
      make: () => (process.stdout.isTTY ? "human" : "json"),
      shown: "human on a terminal, else json",
    },
    parse: oneOf(logFormats),
  }),
};

type Settings = typeof settings;
export type SettingKey = keyof Settings;

/** What the daemon runs with. */
export type Config = {
  readonly [K in SettingKey]: ReturnType<Settings[K]["parse"]>;
};

/** All that is wrong with the configuration, one line a mistake. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(mistakes.join("\n"));
    this.mistakes = mistakes;
  }
}

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

/**
 * The configuration that flags (text by setting) and environment variables make; flags win, and an
 * empty variable counts as unset. Throws a ConfigError that holds every mistake.
 */
export function readConfig(
  flags: Partial<Record<SettingKey, string>>,
  environment: NodeJS.ProcessEnv,
): Config {
  const mistakes: string[] = [];
  const texts: Record<string, string> = {};
  const values: Record<string, unknown> = {};
  for (const key of Object.keys(settings) as SettingKey[]) {
    const { variable, otherVariable = "", fallback, parse } = settings[key] as Setting<unknown>;
    const sources = [
      { name: flagOf(key), text: flags[key] },
      { name: variable, text: environment[variable] },
      { name: otherVariable, text: environment[otherVariable] },
    ];
    const given = sources.find(({ text }) => text);
    texts[key] = given?.text ?? fallbackText(fallback, texts, environment);
    try {
      values[key] = parse(texts[key]);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      // A fallback can only be wrong where the setting that it comes from is, which is told then.
      if (given) mistakes.push(`${given.name}: ${JSON.stringify(texts[key])} ${error.message}`);
    }
  }
  const config = values as Config;
  if (mistakes.length === 0)
    mistakes.push(...nestingMistakes(config), ...s3Mistakes(config, environment));
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return Object.freeze(config);
}

function fallbackText(
  fallback: Fallback,
  texts: Readonly<Record<string, string>>,
  environment: NodeJS.ProcessEnv,
): string {
  if (typeof fallback === "string") return fallback;
  return fallback.make((key) => texts[key] ?? "", environment);
}

/** A save would take such a store with it, and a load that replaces would remove it. */
function nestingMistakes({ store, torchCacheDir }: Config): string[] {
  const holds = (outer: string, inner: string) => `${inner}/`.startsWith(`${outer}/`);
  if (store.kind !== "file") return [];
  if (!holds(store.path, torchCacheDir) && !holds(torchCacheDir, store.path)) return [];
  return [
    `${settings.store.variable}: ${JSON.stringify(store.path)} and the local directory ` +
      `${JSON.stringify(torchCacheDir)} (${settings.torchCacheDir.variable}) may not hold each other`,
  ];
}

/** The AWS SDK finds a malformed endpoint at its first call only, and its words for it are no help. */
function s3Mistakes(
  { store, s3Sse, s3SseKmsKeyId }: Config,
  environment: NodeJS.ProcessEnv,
): string[] {
  if (store.kind !== "s3") return [];
  const mistakes: string[] = [];
  for (const variable of ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]) {
    const text = environment[variable];
    if (!text) continue;
    try {
      parseEndpoint(text, store.bucket);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      // Whatever comes before an @ may be a secret.
      const shown = JSON.stringify(text.replace(/^.*@/, "...@"));
      mistakes.push(`${variable}: ${shown} ${error.message}`);
    }
    // The first that is set is the one that counts.
    break;
  }
  if (s3SseKmsKeyId && !s3Sse?.startsWith("aws:kms"))
    mistakes.push(
      `${settings.s3SseKmsKeyId.variable}: needs ${settings.s3Sse.variable}=aws:kms or aws:kms:dsse`,
    );
  return mistakes;
}

/** The user's name as torch writes it into its default directory. */
function userName({ LOGNAME, USER }: NodeJS.ProcessEnv): string {
  const name = LOGNAME || USER || accountName();
  return name.replace(/[\\/:*?"<>|]/g, "_");
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an account, as containers have, and torch's word for one.
    return `uid_${process.getuid?.() ?? 0}`;
  }
}
