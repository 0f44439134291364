import { once } from "node:events";
import type { MessagePort } from "node:worker_threads";

type Message = { chunk: Uint8Array } | { end: true } | { error: string };

/**
 * Sends chunks to the other side of a port, one for each time that it asks, and passes its reports to
 * `onReport`. Ends with the chunks, or when the port closes. A failure of `chunks` is told to the other
 * side, and thrown.
 */
export async function sendChunks<Report extends object>(
  port: MessagePort,
  chunks: AsyncIterable<Uint8Array>,
  onReport: (report: Report) => void,
): Promise<void> {
  let wanted = 0;
  let wake = () => {};
  port.on("message", (message: "next" | Report) => {
    if (message === "next") {
      wanted += 1;
      wake();
    } else onReport(message);
  });
  port.once("close", () => {
    wanted = Number.POSITIVE_INFINITY;
    wake();
  });
  const nextWanted = async () => {
    if (wanted === 0) await new Promise<void>((resolve) => (wake = resolve));
    wanted -= 1;
  };
  try {
    for await (const chunk of chunks) {
      await nextWanted();
      if (wanted === Number.POSITIVE_INFINITY) return;
      const own = Uint8Array.from(chunk);
      port.postMessage({ chunk: own } satisfies Message, [own.buffer]);
    }
    port.postMessage({ end: true } satisfies Message);
  } catch (error) {
    port.postMessage({ error: String(error) } satisfies Message);
    throw error;
  }
}

/**
 * Receives the chunks that the other side sends. The port stays open for reports until the other side
 * closes it.
 */
export async function* receiveChunks(port: MessagePort): AsyncGenerator<Buffer> {
  for (;;) {
    port.postMessage("next");
    const [message] = (await once(port, "message")) as [Message];
    if ("end" in message) return;
    if ("error" in message) throw new Error(message.error);
    yield Buffer.from(message.chunk.buffer as ArrayBuffer);
  }
}
