import { readFileSync } from "node:fs";
import {
  type Cache,
  type CacheClient,
  CacheServiceError,
  type Environment,
} from "compilecache-client";
import { environmentKey } from "../../domain/environment.ts";
import { parseEnvironmentKey } from "../../domain/parse-environment-key.ts";
import { UsageError } from "../errors/usage-error.ts";
import { commandName } from "../hints/command-name.ts";
import { detectByPython } from "../python/detect-environment.ts";
import type { EnvironmentOptions } from "./options.ts";
import { parseEnvironmentJson } from "./parse-environment-json.ts";
import { wholeEnvironment } from "./whole-environment.ts";

/** Where a cache key is looked up, to learn its environment. */
interface Lookup {
  readonly client: CacheClient;
  readonly namespace: string;
  readonly signal: AbortSignal;
}

const cacheKeyText = /^[0-9a-f]{12}$/;
const flags = { cuda: "--cuda", cc: "--cc", triton: "--triton", label: "--label" } as const;

/**
 * The environment that the options name: by its key, a file or its components; else the one that
 * Python finds. Throws UsageError for options that do not fit together, and where there is none.
 */
export async function namedEnvironment(
  given: EnvironmentOptions,
  lookup: Lookup,
): Promise<Environment> {
  requireOneWay(given);
  const options = withoutNone(given);
  const { key, environmentFile, torch } = options;
  if (key !== undefined)
    return cacheKeyText.test(key) ? environmentOfStored(key, lookup) : environmentOfKey(key);
  if (environmentFile !== undefined) return environmentOfFile(environmentFile);
  if (torch !== undefined) return environmentOfComponents({ ...options, torch });
  try {
    const found = await detectByPython(options.python, lookup.signal);
    return parseEnvironmentJson(found, "what Python found");
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(
      `${error.message}.\nOr name the environment: --key KEY (${commandName()} env --key prints it where` +
        " torch is),\n--environment-file FILE, or --torch VERSION with --cuda, --cc, --triton and --label.",
    );
  }
}

/** Whether the options say what the environment is, so that it need not be looked for. */
export function namesEnvironment({ key, environmentFile, torch }: EnvironmentOptions): boolean {
  return [key, environmentFile, torch].some((text) => text !== undefined);
}

/** Environment keys write "none" for what there is none of, and so do people. */
function withoutNone(options: EnvironmentOptions): EnvironmentOptions {
  const { cuda, cc, triton, ...others } = options;
  const some = Object.entries({ cuda, cc, triton }).filter(([, text]) => text !== "none");
  return { ...others, ...Object.fromEntries(some) };
}

/** Throws UsageError for options that contradict each other. */
export function requireOneWay(given: EnvironmentOptions): void {
  const options = withoutNone(given);
  const { key, environmentFile, torch } = options;
  const ways = [
    ...(key === undefined ? [] : ["--key"]),
    ...(environmentFile === undefined ? [] : ["--environment-file"]),
    ...(torch === undefined ? [] : ["--torch"]),
  ];
  if (ways.length > 1)
    throw new UsageError(`${ways.join(" and ")} each name the environment: give one of them`);
  const parts = (Object.keys(flags) as (keyof typeof flags)[]).filter(
    (name) => options[name] !== undefined,
  );
  const [part] = parts.map((name) => flags[name]);
  if (part !== undefined && torch === undefined)
    throw new UsageError(
      ways.length > 0
        ? `${part} goes with --torch, and ${ways[0]} names the whole environment: leave one out`
        : `${part} needs --torch: name all of the environment, or nothing to have it found`,
    );
  if (options.cc !== undefined && options.cuda === undefined)
    throw new UsageError("--cc needs --cuda: the version of CUDA that torch was built with");
  if (options.cuda !== undefined && options.cc === undefined)
    throw new UsageError("--cuda needs --cc: the compute capability of the GPU, for example 9.0");
}

function environmentOfComponents(options: EnvironmentOptions & { torch: string }): Environment {
  return {
    torchVersion: options.torch,
    ...(options.cuda !== undefined && { cudaVersion: options.cuda }),
    ...(options.cc !== undefined && { computeCapability: options.cc }),
    ...(options.triton !== undefined && { tritonVersion: options.triton }),
    ...(options.label && { extra: options.label }),
  };
}

function environmentOfKey(key: string): Environment {
  const environment = parseEnvironmentKey(key);
  if (environment) return environment;
  throw new UsageError(
    `--key: ${JSON.stringify(key)} is neither an environment key, such as` +
      " torch-2.11.0_cpu_triton-none,\nnor a cache key of 12 hexadecimal digits; compilecache env prints both",
  );
}

function environmentOfFile(path: string): Environment {
  let text: string;
  try {
    text = readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(
      code === "ENOENT"
        ? `--environment-file: there is no file ${path}; ${commandName()} env --json > FILE writes one`
        : `--environment-file: ${message}`,
    );
  }
  return parseEnvironmentJson(text, `--environment-file: ${path === "-" ? "stdin" : path}`);
}

/** A key is a digest: only a stored cache tells what it is of. */
async function environmentOfStored(
  cacheKey: string,
  { client, namespace, signal }: Lookup,
): Promise<Environment> {
  let found: Cache | undefined;
  for await (const cache of client.allCaches({ namespace }, { signal }))
    if (cache.cacheKey === cacheKey) found = cache;
  if (found?.environment) return found.environment;
  const elsewhere = found ? [] : await namespacesOf(cacheKey, { client, signal });
  if (elsewhere.length > 0)
    throw new UnknownCacheKey(
      `the store holds no cache ${namespace}/${cacheKey}, but one of the namespace ` +
        `${elsewhere.join(", and of ")}: name it with --namespace`,
    );
  throw new UnknownCacheKey(
    found
      ? `${namespace}/${cacheKey} was saved by another tool and does not say its environment;` +
          " give --key its environment key"
      : `the store holds no cache ${namespace}/${cacheKey}; ${commandName()} ls lists what it holds,` +
          " and --key takes an environment key, too",
  );
}

/** The namespaces that hold a cache key, as far as this caller may know. */
async function namespacesOf(
  cacheKey: string,
  { client, signal }: Omit<Lookup, "namespace">,
): Promise<string[]> {
  const holders: string[] = [];
  try {
    for await (const cache of client.allCaches({}, { signal }))
      if (cache.cacheKey === cacheKey) holders.push(cache.namespace);
  } catch (error) {
    signal.throwIfAborted();
    // The listing of all may be forbidden, and what was asked for is missing all the same.
    if (!(error instanceof CacheServiceError)) throw error;
  }
  return holders;
}

/** No stored cache tells which environment a cache key is of. */
export class UnknownCacheKey extends Error {}

/** The key of an environment that the daemon has accepted; throws for another. */
export function environmentText(environment: Environment): string {
  return environmentKey(wholeEnvironment(environment));
}
