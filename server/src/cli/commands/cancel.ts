import type { Command } from "commander";
import { CacheServiceError, type Transfer } from "compilecache-client";
import {
  addClientCommand,
  type ClientOptions,
  runWithClient,
  type Session,
} from "../client-command.ts";
import { UsageError } from "../errors/usage-error.ts";
import { exitCode } from "../exit-code.ts";
import { commandName } from "../hints/command-name.ts";
import { transfersOf, wholeOperationId } from "../operation-id.ts";
import { transferText } from "../output/transfer-text.ts";

interface CancelOptions extends ClientOptions {
  all?: true;
}

/** `compilecache cancel`: stops transfers. */
export function addCancelCommand(program: Command): void {
  addClientCommand(program, "cancel [operation-id]", ["cancel 3f9a5c21", "cancel --all"])
    .description(
      "stop a transfer; compilecache ps lists those that run, and the first digits of an id are enough",
    )
    .option("--all", "stop all that run")
    .action((operationId: string | undefined, options: CancelOptions) =>
      runWithClient(options, async (session) => {
        const { transfers, hadEnded } = await cancel(session, operationId, options.all ?? false);
        const before = hadEnded ? "it had ended already: " : "";
        const lines = transfers.map((transfer) => before + transferText(transfer));
        session.print({ transfers }, lines.length > 0 ? lines.join("\n") : "no transfers run");
        return exitCode.success;
      }),
    );
}

interface Cancelled {
  readonly transfers: Transfer[];
  /** Whether there was nothing left to cancel of the one that was named. */
  readonly hadEnded: boolean;
}

async function cancel(
  session: Session,
  operationId: string | undefined,
  all: boolean,
): Promise<Cancelled> {
  if ((operationId === undefined) !== all)
    throw new UsageError(
      `give an operation id, which ${commandName()} ps lists, or --all: one of both`,
    );
  const { client, signal } = session;
  if (operationId !== undefined) {
    const id = await wholeOperationId(session, operationId);
    const { completedAt } = await client.getTransfer(id, { signal });
    const transfer = await client.cancelTransfer(id, { signal });
    return { transfers: [transfer], hadEnded: completedAt !== undefined };
  }
  const running = await transfersOf(session, false);
  const ended = await Promise.all(
    running.map((transfer) =>
      client.cancelTransfer(transfer.operationId, { signal }).catch((error: unknown) => {
        // The daemon has forgotten it meanwhile, as it does with those that ended long ago.
        if (error instanceof CacheServiceError && error.code === "NOT_FOUND") return undefined;
        throw error;
      }),
    ),
  );
  return { transfers: ended.filter((transfer) => transfer !== undefined), hadEnded: false };
}
