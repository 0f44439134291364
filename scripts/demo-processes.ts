import { spawn } from "node:child_process";
import { once } from "node:events";
import { startDaemonProcess } from "../fixtures/daemon-process.ts";

/** A daemon that lasts as long as the demo. */
export interface DemoDaemon {
  /** Stops it; throws, with its log, if it has ended before. */
  stop(): Promise<void>;
}

/** Starts a daemon; resolves when it listens. Throws, with its log, if it does not start. */
export async function startDemoDaemon(places: {
  readonly socket: string;
  readonly store: string;
  readonly allowedDir: string;
}): Promise<DemoDaemon> {
  const { socket, store, allowedDir } = places;
  const flags = { listen: `unix:${socket}`, store: `file://${store}`, "allowed-dirs": allowedDir };
  const daemon = startDaemonProcess({
    flags: Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
    environment: { ...process.env, LOG_FORMAT: "json" },
  });
  await daemon.line("listening");
  return {
    async stop() {
      const { exitCode, signalCode } = daemon.child;
      if (exitCode !== null || signalCode !== null)
        throw new Error(`the daemon ended too early:\n${daemon.output()}`);
      await daemon.end();
    },
  };
}

/** Runs a program to its end, with this process's output. Throws unless it succeeds. */
export async function runToEnd(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"] });
  const [code, signal] = await once(child, "exit");
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code ?? signal}`);
}
