import { commandName } from "../hints/command-name.ts";

/** A daemon, as `compilecache status --json` prints it. What is not known is null. */
export interface DaemonStatus {
  readonly address: string;
  /** All that it listens on. */
  readonly addresses: readonly string[];
  /** Whether the other commands talk to this one. */
  readonly taken: boolean;
  /** `stopping` for one that takes no new work, and finishes what runs; `silent` for one that does not answer. */
  readonly state: "serving" | "stopping" | "silent";
  /** How many transfers run. */
  readonly transfers: number | null;
  /** Why nothing more is known. */
  readonly problem: string | null;
  readonly pid: number | null;
  readonly version: string | null;
  readonly store: string | null;
  /** Null where it is no file. */
  readonly log: string | null;
  /** In ISO 8601. */
  readonly started_at: string | null;
  readonly started_by: string | null;
}

/** A daemon in lines for people. */
export function statusText(daemon: DaemonStatus): string {
  const { address, addresses, taken, pid, version, store, log, started_at, started_by } = daemon;
  const others = addresses.filter((other) => other !== address);
  const lines: readonly (readonly [string, string | null])[] = [
    ["also at", others.length > 0 ? others.join(", ") : null],
    ["state", stateText(daemon)],
    ["process", pid === null ? null : String(pid)],
    ["since", started_at && `${started_at.slice(0, 19).replace("T", " ")} UTC`],
    ["started by", started_by],
    ["store", store],
    ["version", version],
    ["log", log ?? (pid === null ? null : `no file (${commandName()} logs tells more)`)],
  ];
  const said = lines.filter(([, text]) => text !== null);
  const role =
    daemon.state === "silent"
      ? "  (the other commands look for a daemon here)"
      : "  (the other commands talk to this one)";
  return [
    `${address}${taken ? role : ""}`,
    ...said.map(([name, text]) => `  ${name.padEnd(10)}  ${text}`),
  ].join("\n");
}

function stateText({ state, transfers, problem }: DaemonStatus): string {
  if (state === "silent") return problem ?? "does not answer";
  if (transfers === null) return `serving, but not this caller: ${problem}`;
  const running = transfers === 1 ? "1 transfer runs" : `${transfers || "no"} transfers run`;
  return state === "stopping" ? `stopping, ${running}` : `serving, ${running}`;
}
