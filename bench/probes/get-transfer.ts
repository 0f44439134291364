// A process that asks for the state of a transfer again and again, one call after the other. It is told
// {warmUp: operationId} to make some calls that do not count, {operationId, pauseMs} to begin, the
// pause being the one between two calls, and "stop" to answer how long each call took, in milliseconds.
import { setTimeout as sleep } from "node:timers/promises";
import { createCacheClient } from "../../clients/typescript/src/index.ts";

type Asking = { operationId: string; pauseMs: number };

const warmUpCalls = 300;

const client = createCacheClient({ address: process.argv[2] });
let running: Promise<number[]> | undefined;
let stopped = false;

async function ask({ operationId, pauseMs }: Asking): Promise<number[]> {
  const tookMs: number[] = [];
  while (!stopped) {
    const startedAt = performance.now();
    await client.getTransfer(operationId);
    tookMs.push(performance.now() - startedAt);
    if (pauseMs > 0) await sleep(pauseMs);
  }
  return tookMs;
}

process.on("message", async (order: { warmUp: string } | Asking | "stop") => {
  if (order === "stop") {
    stopped = true;
    process.send?.((await running) ?? []);
  } else if ("warmUp" in order) {
    for (let i = 0; i < warmUpCalls; i++) await client.getTransfer(order.warmUp);
    process.send?.("warm");
  } else {
    stopped = false;
    running = ask(order);
  }
});
