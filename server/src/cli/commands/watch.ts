import type { Command } from "commander";
import type { Transfer } from "compilecache-client";
import {
  addClientCommand,
  type ClientOptions,
  runWithClient,
  type Session,
} from "../client-command.ts";
import { exitCode, exitCodeOfTransfer } from "../exit-code.ts";
import { drawProgress, hasTerminal } from "../output/progress-bar.ts";
import { transferText } from "../output/transfer-text.ts";

/** `compilecache watch`: follows one transfer to its end. */
export function addWatchCommand(program: Command): void {
  addClientCommand(program, "watch <operation-id>")
    .description("follow a transfer; with --json, one line for each state")
    .action((operationId: string, options: ClientOptions) =>
      runWithClient(options, async (session) => {
        const states = session.client.watch(operationId, { signal: session.signal });
        const last = await showStates(session, states);
        return last ? exitCodeOfTransfer(last) : exitCode.failure;
      }),
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
