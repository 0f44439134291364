import { readFileSync } from "node:fs";
import type { Server, Socket } from "node:net";
import { createServer, type SecureContextOptions, type TlsOptions } from "node:tls";
import type { TlsFiles } from "./listener.ts";

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
 * a caller without such a certificate is not connected. Throws an Error that names the file that is no
 * good.
 */
export function createTlsServer(
  files: TlsFiles,
  onConnection: (connection: Socket) => void,
): TlsServer {
  const mutual = files.clientCa !== undefined;
  const options: TlsOptions = {
    ...contextOf(files),
    ALPNProtocols: ["h2"],
    minVersion: "TLSv1.2",
    requestCert: mutual,
    rejectUnauthorized: mutual,
    handshakeTimeout: handshakeMs,
  };
  const server = createServer(options);
  server.on("secureConnection", (connection) => {
    connection.setNoDelay(true);
    onConnection(connection);
  });
  return { server, reload: () => server.setSecureContext(contextOf(files)) };
}

function contextOf({ certificate, key, clientCa }: TlsFiles): SecureContextOptions {
  return {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }),
  };
}
