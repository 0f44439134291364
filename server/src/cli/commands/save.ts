import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import {
  type IfStoredExists,
  ifStoredExistsPolicies,
  type SaveResult,
  type TransferCallOptions,
} from "compilecache-client";
import { awaitTransfer } from "../await-transfer.ts";
import { addCacheCommand, type CacheOptions, cacheTargetOf } from "../cache-command.ts";
import { runWithClient } from "../client-command.ts";
import { exitCodeOfTransfer } from "../exit-code.ts";
import { startedText, transferText } from "../output/transfer-text.ts";

interface SaveOptions extends CacheOptions {
  detach?: true;
  ifStoredExists: IfStoredExists;
  profile?: string;
}

/** `compilecache save`: local directory to store. */
export function addSaveCommand(program: Command): void {
  addCacheCommand(program, "save", ["save", "save --namespace llama-8b --if-stored-exists refresh"])
    .description("put a local directory into the store")
    .addOption(
      new Option(
        "--if-stored-exists <policy>",
        "what to do when the store holds this cache already",
      )
        .choices(ifStoredExistsPolicies)
        .default("skip"),
    )
    .option(
      "--profile <name>",
      "which files travel: full, lean, vllm or one of the daemon's (default: full)",
    )
    .option("--detach", "return at once; the save goes on")
    .action((options: SaveOptions) =>
      runWithClient(
        options,
        async (session) => {
          const { detach, ifStoredExists, profile } = options;
          const input = {
            ...(await cacheTargetOf(options, session)),
            detach,
            ifStoredExists,
            profile,
          };
          const save = (call: TransferCallOptions) => session.client.save(input, call);
          const result = await (detach
            ? save({ signal: session.signal })
            : awaitTransfer(session, save));
          const { transfer } = result;
          const text = detach ? startedText(transfer) : transferText(transfer, input);
          session.print(result, text + missingText(result, input.localDir));
          return exitCodeOfTransfer(transfer);
        },
        options.detach ? "" : "; a save that is given up leaves the store as it was",
      ),
    );
}

/** A daemon on another machine sees other directories; what is not here is worth a word all the same. */
function missingText({ skipReason }: SaveResult, localDir: string): string {
  if (skipReason !== "no_files" || existsSync(localDir)) return "";
  return "; it does not exist here: --dir names another";
}
