import { type Command, Option } from "commander";
import {
  type IfLocalExists,
  ifLocalExistsPolicies,
  resolveLocalDirectory,
  type TransferCallOptions,
} from "compilecache-client";
import { awaitTransfer } from "../await-transfer.ts";
import {
  addClientCommand,
  type ClientOptions,
  localDirOption,
  namespaceOption,
  runWithClient,
} from "../client-command.ts";
import {
  type EnvironmentOptions,
  environmentOf,
  requireEnvironment,
} from "../environment-options.ts";
import { exitCodeOfTransfer } from "../exit-code.ts";
import { startedText, transferText } from "../output/transfer-text.ts";

interface LoadOptions extends ClientOptions, EnvironmentOptions {
  namespace: string;
  dir?: string;
  detach?: true;
  ifLocalExists: IfLocalExists;
}

/** `compilecache load`: store to local directory. */
export function addLoadCommand(program: Command): void {
  requireEnvironment(addClientCommand(program, "load"))
    .description("put a stored cache into a local directory")
    .addOption(namespaceOption())
    .addOption(localDirOption())
    .addOption(
      new Option("--if-local-exists <policy>", "what to do with a directory that holds files")
        .choices(ifLocalExistsPolicies)
        .default("skip"),
    )
    .option("--detach", "return at once; the load goes on")
    .action((options: LoadOptions) =>
      runWithClient(options, async (session) => {
        const environment = environmentOf(options);
        const { namespace, detach, ifLocalExists } = options;
        const localDir = resolveLocalDirectory(options.dir);
        const input = { namespace, environment, localDir, detach, ifLocalExists };
        const load = (call: TransferCallOptions) => session.client.load(input, call);
        const result = await (detach
          ? load({ signal: session.signal })
          : awaitTransfer(session, load));
        const { transfer } = result;
        session.print(result, detach ? startedText(transfer) : transferText(transfer, localDir));
        return exitCodeOfTransfer(transfer);
      }),
    );
}
