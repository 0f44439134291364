import type { TransferCallOptions } from "compilecache-client";
import type { Session } from "./client-command.ts";
import { drawProgress, hasTerminal } from "./output/progress-bar.ts";

/**
 * Waits for a load or save that `call` makes, and draws the progress of its transfer meanwhile where
 * a person watches. The call itself is the waiter, so that a death of this process, however sudden,
 * takes the transfer with it; the bar only watches, ends with the call, and its failures are ignored.
 */
export async function awaitTransfer<T>(
  { client, json, signal }: Session,
  call: (options: TransferCallOptions) => Promise<T>,
): Promise<T> {
  if (json || !hasTerminal()) return call({ signal });
  const over = new AbortController();
  let drawn: Promise<unknown> | undefined;
  const onStarted = (operationId: string) => {
    const states = client.watch(operationId, { signal: over.signal });
    drawn = drawProgress(states).catch(() => {});
  };
  try {
    return await call({ signal, onStarted });
  } finally {
    over.abort();
    await drawn;
  }
}
