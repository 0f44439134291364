import { once } from "node:events";
import { carryOut, type Done, type Order } from "./store-work.ts";

/** A process of a race: it gets Orders, and answers each. */
export type Answer = Done | { readonly failure: string };

async function answer(order: Order): Promise<Answer> {
  try {
    return await carryOut(order);
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    return { failure: `${(error as Error).stack}; ${cause}` };
  }
}

process.on("message", async (order: Order) => process.send?.(await answer(order)));
process.send?.("ready");
await once(process, "disconnect");
process.exit();
