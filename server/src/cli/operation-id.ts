import type { Transfer } from "compilecache-client";
import type { Session } from "./client-command.ts";
import { UsageError } from "./errors/usage-error.ts";
import { commandName } from "./hints/command-name.ts";

const wholeLength = 36;
const leastLength = 4;

/** The transfers that the daemon knows: those that run, or all. */
export async function transfersOf(
  { client, signal }: Session,
  includeFinished: boolean,
): Promise<Transfer[]> {
  const transfers: Transfer[] = [];
  for await (const transfer of client.allTransfers({ includeFinished }, { signal }))
    transfers.push(transfer);
  return transfers;
}

/** The operation id that begins so: people need not type all of it. Another is returned as it is. */
export async function wholeOperationId(session: Session, begin: string): Promise<string> {
  if (begin.startsWith("local-"))
    throw new UsageError(
      `${begin} is of the Python process that made it, and no other knows it: ` +
        "the daemon's is daemon_operation_id of the transfer's progress there, " +
        `or listed by ${commandName()} ps --all`,
    );
  if (begin.length >= wholeLength || begin.length < leastLength) return begin;
  const known = await transfersOf(session, true);
  const found = known.filter(({ operationId }) => operationId.startsWith(begin));
  if (found.length > 1)
    throw new UsageError(`${found.length} operation ids begin with ${begin}: give more of it`);
  return found[0]?.operationId ?? begin;
}
