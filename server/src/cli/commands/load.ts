import { type Command, Option } from "commander";
import {
  type IfLocalExists,
  ifLocalExistsPolicies,
  type TransferCallOptions,
} from "compilecache-client";
import { awaitTransfer } from "../await-transfer.ts";
import { addCacheCommand, type CacheOptions, cacheTargetOf } from "../cache-command.ts";
import { runWithClient } from "../client-command.ts";
import { exitCodeOfTransfer } from "../exit-code.ts";
import { startedText, transferText } from "../output/transfer-text.ts";

interface LoadOptions extends CacheOptions {
  detach?: true;
  ifLocalExists: IfLocalExists;
}

/** `compilecache load`: store to local directory. */
export function addLoadCommand(program: Command): void {
  addCacheCommand(program, "load")
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
        const input = { ...cacheTargetOf(options), detach, ifLocalExists };
        const load = (call: TransferCallOptions) => session.client.load(input, call);
        const result = await (detach
          ? load({ signal: session.signal })
          : awaitTransfer(session, load));
        const { transfer } = result;
        const text = detach ? startedText(transfer) : transferText(transfer, input.localDir);
        session.print(result, text);
        return exitCodeOfTransfer(transfer);
      }),
    );
}
