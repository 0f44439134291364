import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Turns } from "../../async/turns.ts";
import { createFrameCutter } from "./frame-cutter.ts";

/** What is taken of a connection at its turn: the headers of some hundred calls, at most. */
const bytesPerTurn = 1024;

/**
 * A socket whose bytes are taken in turns with those of others, a little at each. HTTP/2 acts on all
 * that it is handed before any other event, and frames of a few bytes can ask for much.
 */
export class PacedConnection extends Duplex {
  readonly #socket: Socket;
  readonly #turns: Turns;
  readonly #frames = createFrameCutter();
  #rest = Buffer.alloc(0);
  #isDue = false;
  #isWanted = false;
  #hasEnded = false;

  constructor(socket: Socket, turns: Turns) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#turns = turns;
    socket.on("data", (bytes: Buffer) => {
      socket.pause();
      this.#rest = bytes as Buffer<ArrayBuffer>;
      this.#awaitTurn();
    });
    socket.on("end", () => {
      this.#hasEnded = true;
      this.#awaitTurn();
    });
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
    socket.pause();
  }

  #awaitTurn(): void {
    if (this.#isDue || !this.#isWanted) return;
    this.#isDue = true;
    this.#turns.take(this, () => {
      this.#isDue = false;
      this.#isWanted = false;
      const taken = this.#rest.subarray(0, this.#frames.cut(this.#rest, bytesPerTurn));
      this.#rest = this.#rest.subarray(taken.length);
      if (taken.length > 0) this.push(taken);
      else if (this.#hasEnded) this.push(null);
    });
  }

  override _read(): void {
    this.#isWanted = true;
    if (this.#rest.length > 0 || this.#hasEnded) this.#awaitTurn();
    else this.#socket.resume();
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(bytes, done);
  }

  override _writev(pieces: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.write(Buffer.concat(pieces.map(({ chunk }) => chunk)), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
