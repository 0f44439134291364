import { MessageChannel, type MessagePort } from "node:worker_threads";
import { type Answer, toFailure } from "../failure.ts";
import { heed } from "../note.ts";
import { createWorkerPool, type PoolOptions, type WorkerPool } from "../worker-pool.ts";
import type { FromUserProcess, ToUserProcess } from "./messages.ts";
import { withOwnBytes } from "./own-bytes.ts";

/** Starts threads that stay. */
export async function startThreads({ threads, nice }: PoolOptions): Promise<WorkerPool> {
  const pool = createWorkerPool({ threads, nice, staying: threads });
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const { signal } = new AbortController();
  const meet = () => pool.run("meet", { arrived, threads }, signal);
  await Promise.all(Array.from({ length: threads }, meet));
  return pool;
}

/** Runs the jobs that the daemon sends on threads of this process, until the daemon goes. */
export function serveJobs(pool: WorkerPool): void {
  const running = new Map<number, { abort: AbortController; port?: MessagePort }>();
  // The channel closes with the daemon, and then nobody waits for an answer.
  const send = (message: FromUserProcess) => process.send?.(message, () => {});

  const run = async (order: Extract<ToUserProcess, { run: number }>) => {
    const { run: id, name, job, hasPort } = order;
    const abort = new AbortController();
    const channel = hasPort ? new MessageChannel() : undefined;
    running.set(id, { abort, ...(channel ? { port: channel.port1 } : {}) });
    channel?.port1.on("message", (message) => send({ port: id, message }));
    const { message, memory } = withOwnBytes(job);
    const whole = channel ? { ...(message as object), port: channel.port2 } : message;
    let answer: Answer;
    try {
      const transfer = channel ? [channel.port2, ...memory] : memory;
      answer = { value: await pool.run(name, whole as never, abort.signal, transfer) };
    } catch (error) {
      answer = { failure: toFailure(error) };
    }
    running.delete(id);
    channel?.port1.close();
    send({ answered: id, answer });
  };

  process.on("message", (message: ToUserProcess) => {
    if ("run" in message) void run(message);
    else if ("cancel" in message) running.get(message.cancel)?.abort.abort();
    else if ("port" in message)
      running.get(message.port)?.port?.postMessage(withOwnBytes(message.message).message);
    else heed(message.note);
  });
  process.on("disconnect", () => process.exit());
  send({ ready: true });
}
