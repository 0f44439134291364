import { type Command, Option } from "commander";
import {
  type IfStoredExists,
  ifStoredExistsPolicies,
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
  addCacheCommand(program, "save")
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
      runWithClient(options, async (session) => {
        const { detach, ifStoredExists, profile } = options;
        const input = { ...cacheTargetOf(options), detach, ifStoredExists, profile };
        const save = (call: TransferCallOptions) => session.client.save(input, call);
        const result = await (detach
          ? save({ signal: session.signal })
          : awaitTransfer(session, save));
        const { transfer } = result;
        session.print(result, detach ? startedText(transfer) : transferText(transfer));
        return exitCodeOfTransfer(transfer);
      }),
    );
}
