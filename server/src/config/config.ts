import { formatListenAddress, isLocalOnly } from "../listen/listen-address.ts";
import { directoryExposures, fileExposure, listenerExposures } from "./exposures.ts";
import { misspelledVariables } from "./misspelled-variables.ts";
import { Mistake, parseEndpoint, quoted } from "./parse/values.ts";
import type { Setting } from "./setting.ts";
import { type Config, flagOf, type SettingKey, settings } from "./settings.ts";

/** All that is wrong with the configuration, one line a mistake. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(mistakes.join("\n"));
    this.mistakes = mistakes;
  }
}

/**
 * The configuration that flags (text by setting) and environment variables make; flags win, and an
 * empty variable counts as unset. `warn` is told of each text of a variable that other programs use,
 * too, which we cannot understand: the setting then has its default; and of what is open wider than it
 * is by default. Throws a ConfigError that holds
 * every other mistake. Each warning and each mistake names the flag or variable, and its text.
 */
export function readConfig(
  flags: Partial<Record<SettingKey, string>>,
  environment: NodeJS.ProcessEnv,
  warn: (warning: string) => void = () => {},
): Config {
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  const names: Partial<Record<SettingKey, string>> = {};
  for (const key of Object.keys(settings) as SettingKey[]) {
    const { variable, other, shared, verbatim, list, fallback, keep, parse } = settings[
      key
    ] as Setting<unknown>;
    const textOf = (text = "") => (verbatim ? text : text.trim());
    const given = [
      { name: flagOf(key), text: textOf(flags[key]), parse, ours: true },
      { name: variable, text: textOf(environment[variable]), parse, ours: !shared },
      ...(other
        ? [
            {
              ...other,
              name: other.variable,
              text: textOf(environment[other.variable]),
              ours: false,
            },
          ]
        : []),
    ].find(({ text }) => text !== "");
    try {
      if (given) {
        values[key] = given.parse(given.text);
        names[key] = given.name;
        const files = keep ? (list ? given.text.split(",") : [given.text]) : [];
        for (const file of files) {
          const exposure = keep && fileExposure(file.trim(), keep);
          if (exposure) warn(`${given.name}: ${exposure}`);
        }
      }
    } catch (error) {
      if (!given || !(error instanceof Mistake)) throw error;
      const mistake = `${given.name}: ${quoted(given.text)} ${error.message}`;
      if (given.ours) mistakes.push(mistake);
      else warn(`${mistake}; the default is used`);
    }
    if (!(key in values))
      values[key] =
        typeof fallback === "string" ? parse(fallback) : fallback.make(values, environment);
  }
  for (const words of misspelledVariables(environment)) warn(words);
  const config = values as Config;
  const nameOf: NameOf = (key) => names[key] ?? settings[key].variable;
  if (mistakes.length === 0)
    mistakes.push(
      ...nestingMistakes(config, nameOf),
      ...s3Mistakes(config, environment, nameOf),
      ...listenMistakes(config, names, nameOf),
      ...signingMistakes(config, nameOf),
    );
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  const { allowedDirs, configFile, listen } = config;
  if (names.allowedDirs)
    for (const words of directoryExposures(allowedDirs, listen))
      warn(`${names.allowedDirs}: ${words}`);
  for (const words of listenerExposures(configFile ?? [])) warn(`${names.configFile}: ${words}`);
  return Object.freeze(config);
}

/** The flag or the variable that gave a setting; its variable where none did. */
type NameOf = (key: SettingKey) => string;

/** A save would take such a store with it, and a load that replaces would remove it. */
function nestingMistakes({ store, torchCacheDir }: Config, nameOf: NameOf): string[] {
  const holds = (outer: string, inner: string) => `${inner}/`.startsWith(`${outer}/`);
  if (store.kind !== "file") return [];
  if (!holds(store.path, torchCacheDir) && !holds(torchCacheDir, store.path)) return [];
  return [
    `${nameOf("store")}: ${JSON.stringify(store.path)} and the local directory ` +
      `${JSON.stringify(torchCacheDir)} (${nameOf("torchCacheDir")}) may not hold each other`,
  ];
}

/** The ancestor's format has no manifest, and a signature is of that. */
function signingMistakes({ signingKey, archiveFormat }: Config, nameOf: NameOf): string[] {
  if (!signingKey || archiveFormat === "tar.zst") return [];
  return [
    `${nameOf("signingKey")}: an archive in the format ${archiveFormat} cannot be signed; ` +
      `leave ${nameOf("archiveFormat")} out, or give no key`,
  ];
}

/** Whoever reads along on a network would call with the token, or as its holder. */
function listenMistakes(
  { configFile, listen, plaintext, tokens }: Config,
  given: Partial<Record<SettingKey, string>>,
  nameOf: NameOf,
): string[] {
  const file = nameOf("configFile");
  if (configFile) {
    const others = [given.listen, given.plaintext, given.tokens, given.allowedDirs];
    return others
      .filter((name) => name !== undefined)
      .map((name) => `${name}: ${file} is given, too, and says that itself`);
  }
  const open = listen.filter((address) => !isLocalOnly(address)).map(formatListenAddress);
  return open.flatMap((address) => {
    const place = `${nameOf("listen")}: "${address}" can be reached from other machines`;
    if (tokens)
      return [`${place}, and tokens may not travel without encryption: give tls in ${file}`];
    if (plaintext) return [];
    return [`${place} without encryption: give tls in ${file}, or ${nameOf("plaintext")}=true`];
  });
}

/** The AWS SDK finds a malformed endpoint at its first call only, and its words for it are no help. */
function s3Mistakes(
  { store, s3Sse, s3SseKmsKeyId }: Config,
  environment: NodeJS.ProcessEnv,
  nameOf: NameOf,
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
      `${nameOf("s3SseKmsKeyId")}: ${JSON.stringify(s3SseKmsKeyId)} needs ${nameOf("s3Sse")}=aws:kms or aws:kms:dsse`,
    );
  return mistakes;
}
