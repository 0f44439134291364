import { once } from "node:events";
import { type CacheClient, createCacheClient } from "compilecache-client";

/**
 * A process that makes calls for its parent: it is told an Order, and answers with Answers of the same
 * number. It stays connected to each daemon that it has called, so that its later calls leave at once.
 */

/** The unary calls of a client. */
type Method = "load" | "save" | "listTransfers";

export type Order = { readonly number: number } & {
  [M in Method]: {
    readonly address: string;
    readonly method: M;
    readonly input: Parameters<CacheClient[M]>[0];
  };
}[Method];
/** `started` comes before the others, with the operation id of a call that waits for a transfer. */
export type Answer = { readonly number: number } & (
  | { readonly started: string }
  | { readonly result: unknown }
  | { readonly failure: string }
);

const clients = new Map<string, CacheClient>();
const send = (answer: Answer) => process.send?.(answer);

async function carryOut({ number, address, method, input }: Order): Promise<void> {
  const client = clients.get(address) ?? createCacheClient({ address });
  clients.set(address, client);
  const onStarted = (operationId: string) => void send({ number, started: operationId });
  try {
    send({ number, result: await client[method](input as never, { onStarted }) });
  } catch (error) {
    send({ number, failure: String(error) });
  }
}

process.on("message", carryOut);
await once(process, "disconnect");
process.exit();
