import { readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import { parseDocument } from "yaml";
import { z } from "zod";
import { type Caller, createRule, type Rule } from "../access/caller.ts";
import type { Policy } from "../access/policy.ts";
import { rights } from "../access/rights.ts";
import { isTokenName, parseDigest, parseExpiry } from "../access/tokens.ts";
import { isNamespacePattern } from "../domain/namespace.ts";
import {
  formatListenAddress,
  isLocalOnly,
  type ListenAddress,
  parseListenAddress,
} from "../listen/listen-address.ts";
import { defaultSocketRights, type Listener } from "../listen/listener.ts";
import type { AllowedDir } from "../local/allowed-dirs.ts";
import { idOf } from "./ids.ts";
import { nearest } from "./nearest.ts";
import { Mistake, parseAllowedDirs, quoted, reasonOf } from "./parse/values.ts";

/** A listener of the configuration file, and who may do what there. */
export interface ConfiguredListener {
  readonly listener: Listener;
  readonly policy: Policy;
  /** All that callers may name by its rules. */
  readonly directories: readonly AllowedDir[];
}

const path = z.string().refine(isAbsolute, { error: "is not an absolute path" });

/** What one of our parsers takes, with its own words for what it does not, and perhaps for what is no text. */
function parsed<Result>(parse: (text: string) => Result, noText?: string) {
  return z.string(noText === undefined ? {} : { error: noText }).transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      context.issues.push({ code: "custom", message: error.message, input: text });
      return z.NEVER;
    }
  });
}

function orMistake<Result>(result: Result | undefined, words: string): Result {
  if (result === undefined) throw new Mistake(words);
  return result;
}

const address = parsed((text) =>
  orMistake(parseListenAddress(text), "is no address; give unix:/path, host:port or [ipv6]:port"),
);
// Without quotes, 0660 is another number to YAML than it is to chmod.
const noMode = 'is no mode of a file; give three octal digits in quotes, as "0660"';
const mode = parsed(
  (text) => orMistake(/^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : undefined, noMode),
  noMode,
);
const directory = parsed((text) => {
  const [first, ...others] = parseAllowedDirs(text);
  const several = "is more than one; give each by itself, and a comma of a path as \\,";
  return orMistake(others.length === 0 ? first : undefined, several);
});
const idIn = (kind: "user" | "group") =>
  z.union([z.string(), z.int().nonnegative()]).transform((value, context) => {
    const id = idOf(kind, value);
    if (id !== undefined) return id;
    context.issues.push({ code: "custom", message: `is no ${kind} of this machine`, input: value });
    return z.NEVER;
  });
const namespaces = z.string().refine(isNamespacePattern, {
  error: "is no namespace, nor a pattern of one, in which * stands for any text",
});
const tokenName = z.string().refine(isTokenName, {
  error: "is no name of a token; give 1 to 64 letters, digits and . _ @ -",
});

const right = z.enum(rights, {
  error: ({ input }) => {
    const near = nearest(String(input), rights);
    const meant = near ? `; did you mean ${near}?` : "";
    return `${quoted(String(input))} is none of ${rights.join(", ")}${meant}`;
  },
});

const rule = z.strictObject({
  to: z.union(
    [
      z.literal("anyone"),
      z.strictObject({ token: tokenName }),
      z.strictObject({ certificate: z.string().min(1) }),
    ],
    { error: "is neither anyone, {token: <name>} nor {certificate: <name>}" },
  ),
  may: z.array(right).min(1),
  directories: z.array(directory).default([]),
  copy_directories: z.array(directory).default([]),
  namespaces: z.array(namespaces).min(1).optional(),
});

const listener = z.strictObject({
  address,
  mode: mode.optional(),
  owner: idIn("user").optional(),
  group: idIn("group").optional(),
  tls: z.strictObject({ certificate: path, key: path, client_ca: path.optional() }).optional(),
  plaintext: z.boolean().default(false),
  rules: z.array(rule).min(1),
});

const file = z.strictObject({
  listeners: z.array(listener).min(1),
  tokens: z
    .array(
      z.strictObject({
        name: tokenName,
        sha256: parsed((text) => orMistake(parseDigest(text), "is not 64 hexadecimal digits")),
        expires: parsed((text) =>
          orMistake(
            parseExpiry(text),
            "is no date, as 2027-01-31, nor a date and a time with its zone",
          ),
        ).optional(),
      }),
    )
    .default([]),
});

type File = z.infer<typeof file>;

/** The listeners of a configuration file, by its path. Throws a Mistake that names all that is wrong. */
export function parseAccessFile(path: string): readonly ConfiguredListener[] {
  let content: unknown;
  const text = textOf(path);
  try {
    const document = parseDocument(text);
    const [wrong] = [...document.errors, ...document.warnings];
    if (wrong) throw wrong;
    content = document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw new Mistake(`cannot be read as YAML: ${reasonOf(error).split("\\n")[0]}`);
  }
  const result = file.safeParse(content);
  if (!result.success) throw new Mistake(result.error.issues.map(wordsFor(content)).join("; "));
  const mistakes = mistakesIn(result.data);
  if (mistakes.length > 0) throw new Mistake(mistakes.join("; "));
  return result.data.listeners.map((each) => configured(each, result.data));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new Mistake("is not there");
    throw new Mistake(`cannot be read: ${reasonOf(error)}`);
  }
}

/** An issue as a sentence: where, what is there, and what is wrong with it. */
function wordsFor(content: unknown): (issue: z.core.$ZodIssue) => string {
  return ({ path, message, code }) => {
    const place = path.reduce<string>(
      (text, part) =>
        typeof part === "number" ? `${text}[${part + 1}]` : `${text}.${String(part)}`,
      "",
    );
    const found = path.reduce<unknown>(
      (value, part) => (value as Record<PropertyKey, unknown> | undefined)?.[part],
      content,
    );
    const shown =
      code === "custom" || code === "invalid_format" ? ` ${quoted(String(found))}` : ":";
    return `${place.slice(1) || "the file"}${shown} ${message}`;
  };
}

/** What only shows in several fields together. */
function mistakesIn({ listeners, tokens }: File): string[] {
  const mistakes: string[] = [];
  const names = tokens.map(({ name }) => name);
  for (const name of new Set(names))
    if (names.indexOf(name) !== names.lastIndexOf(name))
      mistakes.push(`tokens: ${quoted(name)} is there twice`);
  const places = listeners.map(({ address }) => formatListenAddress(address));
  for (const place of new Set(places))
    if (!place.endsWith(":0") && places.indexOf(place) !== places.lastIndexOf(place))
      mistakes.push(`listeners: ${quoted(place)} is there twice`);
  for (const [
    index,
    { address, mode, owner, group, tls, plaintext, rules },
  ] of listeners.entries()) {
    const say = (words: string) => mistakes.push(`listeners[${index + 1}]${words}`);
    const isSocket = address.kind === "unix";
    if (isSocket && tls) say(".tls is for addresses of TCP");
    if (!isSocket && (mode ?? owner ?? group) !== undefined)
      say(" has no file: mode, owner and group are for unix:/path");
    const isPlain = !isSocket && !tls;
    if (isPlain && !isLocalOnly(address) && !plaintext)
      say(" can be reached from other machines without encryption: give tls, or plaintext: true");
    for (const [at, { to, may, directories, copy_directories }] of rules.entries()) {
      const where = `.rules[${at + 1}].to`;
      const local = may.filter((right) => ["load", "save", "clear"].includes(right));
      if (directories.length === 0 && local.length > 0)
        say(`.rules[${at + 1}]: give directories, without which nobody may ${local.join(" or ")}`);
      if (directories.length + copy_directories.length === 0 && may.includes("copy"))
        say(`.rules[${at + 1}]: give copy_directories, without which nobody may copy`);
      if (to === "anyone") continue;
      if ("certificate" in to && tls?.client_ca === undefined)
        say(`${where}: callers prove certificates only where tls.client_ca is given`);
      if (!("token" in to)) continue;
      if (!names.includes(to.token)) say(`${where}: no token has the name ${quoted(to.token)}`);
      if (isPlain && !isLocalOnly(address))
        say(`${where}: a token may not travel without encryption; give tls`);
    }
  }
  return mistakes;
}

function configured(from: File["listeners"][number], { tokens }: File): ConfiguredListener {
  const { address, mode, owner, group, tls } = from;
  const callers = callersOf(from.rules);
  return {
    listener: {
      address: address as ListenAddress,
      socket: {
        mode: mode ?? defaultSocketRights.mode,
        ...(owner === undefined ? {} : { uid: owner }),
        ...(group === undefined ? {} : { gid: group }),
      },
      ...(tls && {
        tls: {
          certificate: tls.certificate,
          key: tls.key,
          ...(tls.client_ca === undefined ? {} : { clientCa: tls.client_ca }),
        },
      }),
    },
    directories: from.rules.flatMap((rule) => [...rule.directories, ...rule.copy_directories]),
    policy: {
      anyone: callers.anyone,
      tokens: tokens.flatMap(({ name, sha256, expires }) => {
        const caller = callers.tokens.get(name);
        const expiry = expires === undefined ? {} : { expiresAt: expires };
        return caller ? [{ name, digest: sha256, ...expiry, caller }] : [];
      }),
      certificates: [...callers.certificates].map(([name, caller]) => ({ name, caller })),
    },
  };
}

/** All rules of each caller, together. */
function callersOf(given: File["listeners"][number]["rules"]) {
  const tokens = new Map<string, Caller>();
  const certificates = new Map<string, Caller>();
  let anyone: Caller | undefined;
  const more = (before: Caller | undefined, name: string, rule: Rule): Caller => ({
    name,
    rules: [...(before?.rules ?? []), rule],
  });
  for (const { to, may, directories, copy_directories, namespaces } of given) {
    const saidBy = "the rules of the configuration file";
    const rule = createRule({
      may,
      directories,
      copyDirectories: copy_directories,
      namespaces,
      saidBy,
    });
    if (to === "anyone") anyone = more(anyone, "anybody who can connect", rule);
    else if ("token" in to)
      tokens.set(to.token, more(tokens.get(to.token), `the token ${to.token}`, rule));
    else
      certificates.set(
        to.certificate,
        more(certificates.get(to.certificate), `the certificate ${to.certificate}`, rule),
      );
  }
  return { anyone, tokens, certificates };
}
