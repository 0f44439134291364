import { once } from "node:events";
import { type CacheClient, createCacheClient } from "compilecache-client";

/**
 * A process that makes calls for its parent: it is told an Order, and answers with an Answer. It
 * stays connected to each daemon that it has called, so that its later calls leave at once.
 */

/** The unary calls of a client. */
type Method = "load" | "save" | "listTransfers";

export type Order = {
  [M in Method]: {
    readonly address: string;
    readonly method: M;
    readonly input: Parameters<CacheClient[M]>[0];
  };
}[Method];
export type Answer = { readonly result: unknown } | { readonly failure: string };

const clients = new Map<string, CacheClient>();

async function answer({ address, method, input }: Order): Promise<Answer> {
  const client = clients.get(address) ?? createCacheClient({ address });
  clients.set(address, client);
  try {
    return { result: await client[method](input as never) };
  } catch (error) {
    return { failure: String(error) };
  }
}

process.on("message", async (order: Order) => process.send?.(await answer(order)));
await once(process, "disconnect");
process.exit();
