import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { createServer as createPlainServer, type Server } from "node:net";
import { createServer, type SecureContextOptions, type TlsOptions } from "node:tls";
import type { OnConnection, TlsFiles } from "./listener.ts";

/** How long a caller may take to prove who it is. */
const handshakeMs = 10_000;

/** A server whose connections are encrypted, and how it takes other certificates. */
export interface TlsServer {
  readonly server: Server;
  /** Reads the files again, for connections from now on. Throws where they are no good. */
  reload(): void;
}

/**
 * A server that speaks HTTP/2 over TLS 1.3 or 1.2. Where it has certificates of those who sign callers',
 * a caller without such a certificate is not connected, and nobody is who takes longer than `withinMs`.
 * Throws an Error that names the file that is no good.
 */
export function createTlsServer(
  files: TlsFiles,
  { begin, ready }: OnConnection,
  onRefusal: (error: Error) => void,
  withinMs: number = handshakeMs,
): TlsServer {
  const mutual = files.clientCa !== undefined;
  const options: TlsOptions = {
    ...contextOf(files),
    ALPNProtocols: ["h2"],
    minVersion: "TLSv1.2",
    requestCert: mutual,
    rejectUnauthorized: mutual,
  };
  const handshakeTimer = new AsyncLocalStorage<NodeJS.Timeout>();
  const handshakes = createServer(options, (connection) => {
    clearTimeout(handshakeTimer.getStore());
    ready(connection);
  });
  handshakes.on("tlsClientError", onRefusal);
  const server = createPlainServer({ noDelay: true }, (connection) =>
    begin(connection, () => {
      // Its own `handshakeTimeout` starts again at each byte.
      const timer = setTimeout(() => connection.destroy(), withinMs);
      connection.once("close", () => clearTimeout(timer));
      handshakeTimer.run(timer, () => handshakes.emit("connection", connection));
    }),
  );
  return { server, reload: () => handshakes.setSecureContext(contextOf(files)) };
}

function contextOf({ certificate, key, clientCa }: TlsFiles): SecureContextOptions {
  return {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }),
  };
}
