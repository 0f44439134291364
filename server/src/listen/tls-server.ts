import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { createServer as createPlainServer, type Server } from "node:net";
import {
  createSecureContext,
  createServer,
  type SecureContextOptions,
  type TlsOptions,
} from "node:tls";
import type { OnConnection, TlsFiles } from "./listener.ts";

/** How long a caller may take to prove who it is. */
const handshakeMs = 10_000;

/** A server whose connections are encrypted, and how it takes other certificates. */
export interface TlsServer {
  readonly server: Server;
  /**
   * Reads the files again; what it returns uses them for connections from then on. Throws where they are
   * no good.
   */
  reread(): () => void;
}

/**
 * A server that speaks HTTP/2 over TLS 1.3 or 1.2. Where it has certificates of those who sign callers',
 * a caller without such a certificate is not connected, and nobody is who takes longer than `withinMs`.
 * Throws an Error that names the file that is no good.
 */
export function createTlsServer(
  files: TlsFiles,
  { begin, ready, refused }: OnConnection,
  withinMs: number = handshakeMs,
): TlsServer {
  const mutual = files.clientCa !== undefined;
  const options: TlsOptions = {
    ...contextOf(files),
    ALPNProtocols: ["h2"],
    requestCert: mutual,
    rejectUnauthorized: mutual,
  };
  const handshake = new AsyncLocalStorage<{ timer: NodeJS.Timeout; peer: string }>();
  const handshakes = createServer(options, (connection) => {
    clearTimeout(handshake.getStore()?.timer);
    ready(connection);
  });
  handshakes.on("tlsClientError", (error: NodeJS.ErrnoException, { authorizationError }) => {
    const showsNone = error.code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE";
    const why = showsNone ? "it shows none" : authorizationError && String(authorizationError);
    // Whoever hangs up or speaks no TLS is no caller.
    if (why) refused(handshake.getStore()?.peer ?? "", why);
  });
  const server = createPlainServer({ noDelay: true }, (connection) =>
    begin(connection, () => {
      // Its own `handshakeTimeout` starts again at each byte.
      const timer = setTimeout(() => connection.destroy(), withinMs);
      // It is known no more once the connection has closed.
      const peer = connection.remoteAddress ?? "";
      const own = { timer, peer };
      connection.once("close", () => {
        clearTimeout(timer);
        // What is told of the handshake's end follows from this event.
        handshake.enterWith(own);
      });
      handshake.run(own, () => handshakes.emit("connection", connection));
    }),
  );
  return {
    server,
    reread() {
      const context = contextOf(files);
      return () => handshakes.setSecureContext(context);
    },
  };
}

function contextOf({ certificate, key, clientCa }: TlsFiles): SecureContextOptions {
  const context: SecureContextOptions = {
    minVersion: "TLSv1.2",
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }),
  };
  try {
    createSecureContext(context);
  } catch (error) {
    const files = [certificate, key, clientCa].filter((file) => file !== undefined).join(", ");
    throw new Error(`${files}: ${(error as Error).message}`, { cause: error });
  }
  return context;
}
