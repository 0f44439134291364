import { AsyncLocalStorage } from "node:async_hooks";
import type { Socket } from "node:net";

/** HTTP/2 begins with `PRI * HTTP/2.0`; no method of HTTP/1.1 begins like that. */
const prefaceBegin = "PRI";
/** Who says nothing for so long wants to hear the server first, as HTTP/2 allows. */
const silenceMs = 250;

/**
 * Hands a connection on by what its client says first, which is still there to be read. Either function is
 * called in the asynchronous context of this call, and none where the client leaves before.
 */
export function tellProtocol(
  socket: Socket,
  on: { readonly http2: () => void; readonly http1: () => void },
): void {
  const inThisContext = AsyncLocalStorage.snapshot();
  let said = Buffer.alloc(0);
  const mayBeHttp2 = () => {
    const begin = said.toString("latin1", 0, prefaceBegin.length);
    return prefaceBegin.startsWith(begin);
  };
  const hear = (bytes: Buffer) => {
    said = Buffer.concat([said, bytes]);
    if (said.length >= prefaceBegin.length || !mayBeHttp2()) decide();
  };
  const decide = () => {
    leave();
    socket.pause();
    if (said.length > 0) socket.unshift(said);
    inThisContext(mayBeHttp2() ? on.http2 : on.http1);
  };
  const leave = () => {
    clearTimeout(silence);
    socket.off("data", hear).off("close", leave);
  };
  const silence = setTimeout(decide, silenceMs).unref();
  socket.on("data", hear).on("close", leave);
  // Who takes it over has a handler of its own.
  socket.on("error", () => {});
}
