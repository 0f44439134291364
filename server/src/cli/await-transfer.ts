import { setTimeout as delay } from "node:timers/promises";
import type { CacheClient, Environment, Transfer, TransferKind } from "compilecache-client";
import { cacheKeyOf } from "../domain/environment.ts";
import type { Session } from "./client-command.ts";
import { environmentText } from "./environment-options.ts";
import { drawProgress, hasTerminal } from "./progress-bar.ts";

interface Target {
  readonly kind: TransferKind;
  readonly namespace: string;
  readonly environment: Environment;
}

const lookAgainMs = 100;

/**
 * Waits for a load or save that `call` makes, and draws its progress meanwhile where a person
 * watches. The call itself is the waiter, so that a death of this process, however sudden, takes
 * the transfer with it; the bar only watches, and whatever fails about it is ignored.
 */
export async function awaitTransfer<T>(
  { client, json }: Session,
  target: Target,
  call: () => Promise<T>,
): Promise<T> {
  if (json || !hasTerminal()) return call();
  const over = new AbortController();
  const [called] = await Promise.allSettled([
    call().finally(() => over.abort()),
    followTransfer(client, target, over.signal),
  ]);
  if (called.status === "rejected") throw called.reason;
  return called.value;
}

async function followTransfer(client: CacheClient, target: Target, signal: AbortSignal) {
  const cacheKey = cacheKeyOf(environmentText(target.environment));
  const isMeant = (transfer: Transfer) =>
    transfer.kind === target.kind &&
    transfer.namespace === target.namespace &&
    transfer.cacheKey === cacheKey;
  for (;;) {
    for await (const transfer of client.allTransfers({}, { signal }))
      if (isMeant(transfer)) return drawProgress(client.watch(transfer.operationId, { signal }));
    await delay(lookAgainMs, undefined, { signal });
  }
}
