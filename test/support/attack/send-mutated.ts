import { setTimeout as sleep } from "node:timers/promises";
import { mutatedRequest, randomNumbers } from "./mutated-requests.ts";
import { socketTo, type Target } from "./peer.ts";

/** How long an answer is waited for; many calls rightly have none. */
const answerMs = 20;
const atOnce = 32;

/** Sends mutated requests, each by a connection of its own: those of the numbers `from` up to `to`. */
export async function sendMutated(target: Target, from: number, to: number): Promise<void> {
  let next = from;
  const send = async () => {
    while (next < to) {
      const socket = socketTo(target).resume();
      socket.write(mutatedRequest(randomNumbers(next++)));
      const closed = new Promise((resolve) => socket.once("close", resolve));
      await Promise.race([closed, sleep(answerMs)]);
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, send));
}
