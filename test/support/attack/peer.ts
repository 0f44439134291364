import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";

/** Where a daemon listens: a socket's path, or a port of this machine. */
export type Target = { readonly path: string } | { readonly port: number };

/** The target that an address of a daemon names. */
export function targetOf(address: string): Target {
  const path = /^unix:(.*)$/.exec(address)?.[1];
  return path === undefined ? { port: Number(/(\d+)$/.exec(address)?.[1]) } : { path };
}

/** A socket that minds no error: what it is connected to may end it at any time. */
export function socketTo(target: Target): Socket {
  const socket = connect({ host: "127.0.0.1", ...target });
  return socket.on("error", () => {});
}

/** An HTTP/2 session that minds no error. */
export function sessionTo(target: Target, options: { initialWindowSize?: number } = {}) {
  const session: ClientHttp2Session = connectHttp2("http://daemon", {
    createConnection: () => socketTo(target),
    settings: { ...options, enablePush: false },
    maxSessionMemory: 1000,
  });
  return session.on("error", () => {});
}

/** Writes what `next` makes for as long as the connection takes it. */
export function flood(socket: Socket, next: () => Uint8Array): void {
  const write = () => {
    if (socket.destroyed) return;
    // Others of this process want to run, too.
    if (socket.write(next())) setImmediate(write);
    else socket.once("drain", write);
  };
  write();
}
