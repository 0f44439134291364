import { readFileSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { whyNoDirectory, whyNoStore } from "compilecache-client/places";
import { type FileToken, parseTokens } from "../../access/tokens.ts";
import { harmless } from "../../domain/harmless-text.ts";
import { longestOriginText } from "../../domain/origin.ts";
import { builtInProfiles, type Profile, type Profiles } from "../../domain/profile.ts";
import { type ListenAddress, parseListenAddress } from "../../listen/listen-address.ts";
import type { AllowedDir } from "../../local/allowed-dirs.ts";
import {
  NotAKey,
  parseSigningKey,
  parseTrustedKeys,
  type SigningKey,
  type TrustedKey,
} from "../../signing/keys.ts";
import type { StoreLocation } from "../../store/open-store.ts";

/** What is wrong with a setting's text, worded to follow it: "is not a whole number". */
export class Mistake extends Error {
  override readonly name = "Mistake";
}

const mostShown = 200;

/** A text as messages show it: on one line, not without end, and without an URL's credentials. */
export function quoted(text: string): string {
  const masked = text.replace(/(:\/\/)[^/@]*@/g, "$1***@");
  const cut = masked.length > mostShown ? `${masked.slice(0, mostShown)}...` : masked;
  return harmless(JSON.stringify(cut));
}

/** Why a file could not be read; the message's reader knows its name already. */
export function reasonOf(error: unknown): string {
  return harmless((error as Error).message.replace(/, \w+ '.*'$/s, ""));
}

/** The parts of a comma-separated list, without surrounding blanks and empty parts. */
function partsOf(text: string): string[] {
  return splitAt(text, ",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** What stands between separators; one behind a backslash separates nothing. */
function splitAt(text: string, separator: string): string[] {
  const parts = [""];
  for (const [piece] of text.matchAll(/\\.|[^\\]|\\$/gsu))
    if (piece === separator) parts.push("");
    else parts.push(`${parts.pop()}${piece}`);
  return parts;
}

/** A part of a list without the backslashes before separators and backslashes. */
function unescaped(part: string): string {
  return part.replace(/\\([,=\\])/g, "$1");
}

// The limits of Linux.
const longestPathBytes = 4095;
const longestNameBytes = 255;

/**
 * An absolute path, without `.`, `..` and doubled or trailing slashes. All other characters are the
 * path's: it is no list.
 */
export function parseDirectory(text: string): string {
  const why = whyNoDirectory(text);
  if (why !== undefined) throw new Mistake(why);
  const path = resolve(text);
  if (Buffer.byteLength(path) > longestPathBytes)
    throw new Mistake(`is longer than the ${longestPathBytes} bytes that a path may have`);
  if (path.split("/").some((name) => Buffer.byteLength(name) > longestNameBytes))
    throw new Mistake(`holds a name longer than the ${longestNameBytes} bytes that one may have`);
  return path;
}

/** A parser of whole numbers from `least` to `most`, which multiplies them by `unit`. */
export function wholeNumber(least: number, most: number, unit = 1): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value * unit;
    throw new Mistake(`is not a whole number from ${least} to ${most}`);
  };
}

/** A parser of one of a few words. */
export function oneOf<T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word !== undefined) return word;
    throw new Mistake(`is none of ${words.join(", ")}`);
  };
}

/** `file:///path` or `s3://bucket/prefix`, which keeps to characters that no server or tool escapes. */
export function parseStore(text: string): StoreLocation {
  const why = whyNoStore(text);
  if (why !== undefined) throw new Mistake(why);
  const [, bucket, prefix = ""] = /^s3:\/\/([^/]+)\/?(.*?)\/?$/s.exec(text) ?? [];
  if (bucket !== undefined) return { kind: "s3", bucket, prefix };
  try {
    return { kind: "file", path: parseDirectory(fileURLToPath(text)) };
  } catch (error) {
    if (error instanceof Mistake) throw error;
    throw new Mistake("is not a store: its path holds %2F, which no name can");
  }
}

/** `true` or `false`. */
export function parseFlag(text: string): boolean {
  return oneOf(["true", "false"])(text) === "true";
}

/** What archives say of their saver. */
export function parseOriginText(text: string): string {
  if (text.length > longestOriginText)
    throw new Mistake(`is longer than ${longestOriginText} characters`);
  if (harmless(text) !== text) throw new Mistake("holds characters that cannot be printed");
  return text;
}

/** The id, alias or ARN of a key of AWS KMS. */
export function parseKeyId(text: string): string {
  if (/^[\w:/.-]{1,2048}$/.test(text)) return text;
  throw new Mistake("is no id, alias or ARN of a key");
}

/** The URL of an S3 server, as the AWS SDK takes it: `http://host:port`, or https, perhaps with a path. */
export function parseEndpoint(text: string, bucket: string): URL {
  if (!/^https?:\/\//i.test(text))
    throw new Mistake("is no URL of a server; give http://host:port or https://host:port");
  if (!URL.canParse(text))
    throw new Mistake("is no URL of a server: its host or its port is malformed");
  const url = new URL(text);
  if (url.username || url.password)
    throw new Mistake(
      "holds credentials; they belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    );
  if (url.search || url.hash) throw new Mistake("has a query or a fragment; give the server alone");
  if (url.pathname.split("/")[1] === bucket)
    throw new Mistake(
      `names the bucket ${bucket}, which COMPILE_CACHE_STORE does; give the server alone`,
    );
  return url;
}

/**
 * `path` or `client-path=daemon-path`, comma-separated, or `any`. A comma, an equals sign or a backslash
 * that belongs to a path has a backslash before it.
 */
export function parseAllowedDirs(text: string): readonly AllowedDir[] {
  if (text === "any") return [{ clientPath: "/", daemonPath: "/", throughLinks: true }];
  const dirs = partsOf(text).map((part): AllowedDir => {
    const [first = "", ...others] = splitAt(part, "=");
    const clientPath = unescaped(first);
    const mapped = others.length > 0;
    const daemonPath = mapped ? unescaped(others.join("=")) : clientPath;
    if (!isAbsolute(clientPath) || !isAbsolute(daemonPath))
      throw new Mistake(
        `holds ${quoted(part)}, which is no absolute path; give path or client-path=daemon-path, or any alone`,
      );
    return {
      clientPath: allowedPath(clientPath),
      daemonPath: allowedPath(daemonPath),
      ...(mapped ? { mapped } : {}),
    };
  });
  if (dirs.length === 0) throw new Mistake("names no directory");
  return dirs;
}

/** The root directory may be allowed: what lies in it is what callers then name. */
function allowedPath(path: string): string {
  return resolve(path) === "/" ? "/" : parseDirectory(path);
}

/** Addresses to listen on, comma-separated; none means the default sockets. */
export function parseListen(text: string): readonly ListenAddress[] {
  return partsOf(text).map((part) => {
    const address = parseListenAddress(unescaped(part));
    if (address) return address;
    throw new Mistake(
      `holds ${quoted(part)}, which is no address; give unix:/path, host:port or [ipv6]:port`,
    );
  });
}

/** The tokens in a file, by its path; no path means no tokens. */
export function parseTokensFile(path: string): readonly FileToken[] | undefined {
  if (path === "") return undefined;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new Mistake(`cannot be read: ${reasonOf(error)}`);
  }
  const { tokens, malformedLines } = parseTokens(text);
  if (malformedLines.length > 0)
    throw new Mistake(
      `line ${malformedLines.join(", ")}: each line is "read" or "write", then one token of ` +
        "printable ASCII characters or sha256:<its digest>; name=<name> and expires=<date> may follow",
    );
  if (tokens.length === 0) throw new Mistake("holds no token, so no call would be allowed");
  return tokens;
}

/** The private key in a file, by its path; no path means no key. */
export function parseSigningKeyFile(path: string): SigningKey | undefined {
  return path === "" ? undefined : keyIn(path, parseSigningKey, "");
}

/** The public keys in files, by their paths; no path means no keys. */
export function parseTrustedKeyFiles(text: string): readonly TrustedKey[] | undefined {
  const paths = text.split(",").filter((path) => path.trim() !== "");
  if (paths.length === 0) return undefined;
  return paths.flatMap((path) =>
    keyIn(path.trim(), parseTrustedKeys, paths.length > 1 ? `holds ${quoted(path)}, which ` : ""),
  );
}

function keyIn<Key>(path: string, parse: (pem: string) => Key, which: string): Key {
  try {
    return parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof NotAKey) throw new Mistake(which + error.message);
    throw new Mistake(`${which}cannot be read: ${reasonOf(error)}`);
  }
}

/** The built-in profiles and those in a JSON file, by its path; no path means the built-in ones. */
export function parseProfilesFile(path: string): Profiles {
  if (path === "") return builtInProfiles;
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Mistake(`cannot be read as JSON: ${reasonOf(error)}`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new Mistake("does not hold an object of profiles by name");
  const profiles = new Map(builtInProfiles);
  for (const [name, profile] of Object.entries(parsed)) {
    const { include = [], exclude = [], ...others } = (profile ?? {}) as Partial<Profile>;
    const areGlobs = (globs: unknown) =>
      Array.isArray(globs) && globs.every((glob) => typeof glob === "string" && glob !== "");
    if (!areGlobs(include) || !areGlobs(exclude) || Object.keys(others).length > 0)
      throw new Mistake(`holds a profile ${quoted(name)} that is not {include, exclude} of globs`);
    profiles.set(name, { include, exclude });
  }
  return profiles;
}
