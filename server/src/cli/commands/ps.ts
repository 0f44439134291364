import type { Command } from "commander";
import type { Transfer } from "compilecache-client";
import { addClientCommand, type ClientOptions, runWithClient } from "../client-command.ts";
import { exitCode } from "../exit-code.ts";
import { commandName } from "../hints/command-name.ts";
import { transfersOf } from "../operation-id.ts";
import { fitTable, terminalWidth } from "../output/fit-table.ts";
import { bytesText, durationText } from "../output/quantities.ts";
import { transferStatus } from "../output/transfer-status.ts";

interface ProcessOptions extends ClientOptions {
  all?: true;
}

/** `compilecache ps`: the transfers of the daemon. */
export function addPsCommand(program: Command): void {
  addClientCommand(program, "ps", ["ps", "ps --all --json"])
    .description("list the transfers that run")
    .option("--all", "those that have ended, too, as far as the daemon remembers them")
    .action((options: ProcessOptions) =>
      runWithClient(options, async (session) => {
        const transfers = await transfersOf(session, options.all ?? false);
        const none = options.all
          ? "the daemon remembers no transfers"
          : `no transfers run; those that have ended: ${commandName()} ps --all`;
        session.print({ transfers }, transfers.length > 0 ? tableOf(transfers) : none);
        return exitCode.success;
      }),
    );
}

/** Enough to tell an operation from others, and for the commands that take one. */
const idLength = 12;

function tableOf(transfers: readonly Transfer[]): string {
  const width = terminalWidth();
  const isNarrow = width !== Number.POSITIVE_INFINITY;
  return fitTable(
    [
      ["OPERATION ID", "KIND", "STATUS", "CACHE", "BYTES", "TIME"],
      ...transfers.map((transfer) => [
        isNarrow ? transfer.operationId.slice(0, idLength) : transfer.operationId,
        transfer.kind,
        transferStatus(transfer),
        transfer.cacheKey ? `${transfer.namespace}/${transfer.cacheKey}` : transfer.operationName,
        progressText(transfer),
        durationText(
          Math.max(
            0,
            (transfer.completedAt ?? new Date()).getTime() - transfer.startedAt.getTime(),
          ),
        ),
      ]),
    ],
    width,
    ["OPERATION ID"],
  );
}

function progressText({ bytesDone, bytesTotal }: Transfer): string {
  if (bytesTotal === 0) return "-";
  const share = Math.min(100, Math.floor((bytesDone / bytesTotal) * 100));
  return `${bytesText(bytesTotal)} ${share}%`;
}
