// A process that makes calls for its parent. It receives Orders, and sends Answers with the number of
// the Order. It stays connected to each daemon that it has called, so that later calls start at once.
import { once } from "node:events";
import { type CacheClient, createCacheClient } from "compilecache-client";

/** The calls that can be ordered. */
type Method = "load" | "save" | "listTransfers";

export type Order = { readonly number: number } & {
  [M in Method]: {
    readonly address: string;
    readonly method: M;
    readonly input: Parameters<CacheClient[M]>[0];
  };
}[Method];
/** `started` is sent before the others, with the operation id of a call that waits for a transfer. */
export type Answer = { readonly number: number } & (
  | { readonly started: string }
  | { readonly result: unknown }
  | { readonly failure: string }
);

const clients = new Map<string, CacheClient>();
const send = (answer: Answer) => process.send?.(answer);

function call(client: CacheClient, { number, method, input }: Order): Promise<unknown> {
  const onStarted = (operationId: string) => void send({ number, started: operationId });
  if (method === "load") return client.load(input, { onStarted });
  if (method === "save") return client.save(input, { onStarted });
  return client.listTransfers(input);
}

async function carryOut(order: Order): Promise<void> {
  const { number, address } = order;
  const client = clients.get(address) ?? createCacheClient({ address });
  clients.set(address, client);
  try {
    send({ number, result: await call(client, order) });
  } catch (error) {
    send({ number, failure: String(error) });
  }
}

process.on("message", carryOut);
await once(process, "disconnect");
process.exit();
