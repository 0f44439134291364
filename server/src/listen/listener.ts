import type { Socket } from "node:net";
import type { ListenAddress } from "./listen-address.ts";

/** One place to listen, and how. */
export interface Listener {
  /** Undefined for the default socket. */
  readonly address: ListenAddress | undefined;
  /** Who may connect to the socket's file, where it is one. */
  readonly socket: SocketRights;
  /** The files of its certificates, for an address of TCP. */
  readonly tls?: TlsFiles;
}

/** What is told of each connection. */
export interface OnConnection {
  /**
   * It has come. `proceed` is called where it may go on: an encrypted one proves itself first, and is
   * ready, in the same asynchronous context, once it has.
   */
  begin(connection: Socket, proceed: () => void): void;
  /** Calls may come by it. An encrypted one is a TLSSocket now. */
  ready(connection: Socket): void;
  /** The certificate of one that has come is refused, and why: in words, or as OpenSSL calls it. */
  refused(peer: string, why: string): void;
}

/** Rights of a socket's file. Undefined ids are this process's own. */
export interface SocketRights {
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** Paths of PEM files. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  /** Certificates of those who sign the callers'; undefined where callers need none. */
  readonly clientCa?: string;
}

/** Only the daemon's user and group may connect. */
export const defaultSocketRights: SocketRights = { mode: 0o660 };
