// A process that watches a transfer many times over. It is told {operationId, count}, answers "watching"
// once each watch has had its first message, and the number of all messages once all have ended.
import { createCacheClient } from "../../clients/typescript/src/index.ts";

const client = createCacheClient({ address: process.argv[2] });

process.on("message", async ({ operationId, count }: { operationId: string; count: number }) => {
  let watching = 0;
  let messages = 0;
  const watch = async () => {
    let first = true;
    for await (const _ of client.watch(operationId)) {
      messages += 1;
      if (first && ++watching === count) process.send?.("watching");
      first = false;
    }
  };
  await Promise.all(Array.from({ length: count }, watch));
  process.send?.(messages);
});
