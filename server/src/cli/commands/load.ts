import { type Command, Option } from "commander";
import {
  CacheServiceError,
  type IfLocalExists,
  ifLocalExistsPolicies,
  type LoadResult,
  type TransferCallOptions,
} from "compilecache-client";
import { awaitTransfer } from "../await-transfer.ts";
import { addCacheCommand, type CacheOptions, cacheTargetOf } from "../cache-command.ts";
import { runWithClient, type Session } from "../client-command.ts";
import { exitCodeOfTransfer } from "../exit-code.ts";
import { commandName } from "../hints/command-name.ts";
import { startedText, transferText } from "../output/transfer-text.ts";

interface LoadOptions extends CacheOptions {
  detach?: true;
  ifLocalExists: IfLocalExists;
}

/** `compilecache load`: store to local directory. */
export function addLoadCommand(program: Command): void {
  addCacheCommand(program, "load", [
    "load",
    "load --namespace llama-8b --if-local-exists merge",
    "load --key torch-2.11.0_cpu_triton-none --dir /tmp/cache",
  ])
    .description("put a stored cache into a local directory")
    .addOption(
      new Option("--if-local-exists <policy>", "what to do with a directory that holds files")
        .choices(ifLocalExistsPolicies)
        .default("skip"),
    )
    .option("--detach", "return at once; the load goes on")
    .action((options: LoadOptions) =>
      runWithClient(options, async (session) => {
        const { detach, ifLocalExists } = options;
        const input = { ...(await cacheTargetOf(options, session)), detach, ifLocalExists };
        const load = (call: TransferCallOptions) => session.client.load(input, call);
        const result = await (detach
          ? load({ signal: session.signal })
          : awaitTransfer(session, load));
        const { transfer } = result;
        const text = detach ? startedText(transfer) : transferText(transfer, input);
        session.print(result, text + (await elsewhereText(session, result)));
        return exitCodeOfTransfer(transfer);
      }),
    );
}

/** Who forgot the namespace learns here that another has this very cache. */
async function elsewhereText(
  { client, json, signal }: Session,
  { status, closest, transfer }: LoadResult,
): Promise<string> {
  if (json || status !== "does_not_exist") return "";
  const { namespace, cacheKey } = transfer;
  const others: string[] = [];
  try {
    for await (const cache of client.allCaches({}, { signal }))
      if (cache.cacheKey === cacheKey && cache.namespace !== namespace)
        others.push(cache.namespace);
  } catch (error) {
    signal.throwIfAborted();
    // It may be forbidden, and the miss is told all the same.
    if (error instanceof CacheServiceError) return "";
    throw error;
  }
  if (others.length > 0) {
    const shown = [...others.slice(0, 3), ...(others.length > 3 ? ["..."] : [])].join(", ");
    return `\nthis environment has a cache under another namespace: ${shown} (--namespace)`;
  }
  return closest
    ? ""
    : `\nthe namespace ${namespace} holds no caches; ${commandName()} ls lists those of all`;
}
