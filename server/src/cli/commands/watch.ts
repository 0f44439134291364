import type { Command } from "commander";
import type { Transfer } from "compilecache-client";
import {
  addClientCommand,
  type ClientOptions,
  runWithClient,
  type Session,
} from "../client-command.ts";
import { UsageError } from "../errors/usage-error.ts";
import { exitCode, exitCodeOfTransfer } from "../exit-code.ts";
import { commandName } from "../hints/command-name.ts";
import { transfersOf, wholeOperationId } from "../operation-id.ts";
import { drawProgress, hasTerminal } from "../output/progress-bar.ts";
import { transferText } from "../output/transfer-text.ts";

/** `compilecache watch`: follows one transfer to its end. */
export function addWatchCommand(program: Command): void {
  addClientCommand(program, "watch [operation-id]", ["watch", "watch 3f9a5c21 --json"])
    .description(
      "follow a transfer, or the one that runs; the first digits of its id are enough; with --json, " +
        "one line for each state",
    )
    .action((given: string | undefined, options: ClientOptions) =>
      runWithClient(options, async (session) => {
        const operationId = given
          ? await wholeOperationId(session, given)
          : await theOneThatRuns(session);
        const states = session.client.watch(operationId, { signal: session.signal });
        const last = await showStates(session, states);
        return last ? exitCodeOfTransfer(last) : exitCode.failure;
      }),
    );
}

async function theOneThatRuns(session: Session): Promise<string> {
  const [first, ...others] = await transfersOf(session, false);
  if (first && others.length === 0) return first.operationId;
  throw new UsageError(
    first
      ? `${others.length + 1} transfers run: give the operation id of one, which ${commandName()} ps lists`
      : `no transfers run; give the operation id of one that has ended (${commandName()} ps --all)`,
  );
}

async function showStates(
  session: Session,
  states: AsyncIterable<Transfer>,
): Promise<Transfer | undefined> {
  if (!session.json && hasTerminal()) {
    const last = await drawProgress(states);
    if (last) session.print(last, transferText(last));
    return last;
  }
  let last: Transfer | undefined;
  for await (const state of states) {
    // A program wants every state, a person who reads a log only the steps.
    if (session.json || last?.phase !== state.phase) session.print(state, transferText(state));
    last = state;
  }
  return last;
}
