import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { nobody } from "../machine/as-user.ts";

// What runs as the attacker. At full speed it puts links to another directory, and directories of its own,
// in the place of all that a daemon makes in directories that the attacker may write, and takes them away
// again, so that the daemon goes on.
const program = `
const fs = require("node:fs");
const [places, victim, patient] = JSON.parse(process.argv[1]);
const attempt = (body) => { try { return body(); } catch { return undefined; } };
let swaps = 0, made = 0;
const names = (path) => attempt(() => fs.readdirSync(path)) ?? [];
function swap(path) {
  const aside = path + "-" + made++;
  // A directory of its own, in which it may swap what is made.
  const decoy = path + "-decoy-" + made;
  if (made % 3 === 0) attempt(() => fs.mkdirSync(decoy, 0o777));
  if (attempt(() => { fs.renameSync(path, aside); return true; }) === undefined) return;
  if (made % 3 === 0) attempt(() => fs.renameSync(decoy, path));
  else attempt(() => fs.symlinkSync(made % 3 === 1 ? victim : victim + "/a", path));
  swaps += 1;
  if (made % 2 === 0) {
    attempt(() => fs.unlinkSync(path));
    attempt(() => fs.rmdirSync(path));
    attempt(() => fs.renameSync(aside, path));
  }
}
function clean(path) {
  for (const name of names(path)) {
    const entry = path + "/" + name;
    const stat = attempt(() => fs.lstatSync(entry));
    if (stat?.isSymbolicLink()) attempt(() => fs.unlinkSync(entry));
    else if (/-\\d+$/.test(name)) attempt(() => fs.rmSync(entry, { recursive: true, force: true }));
  }
}
process.on("SIGTERM", () => { fs.writeSync(1, String(swaps)); process.exit(); });
// The moment between the making of a stage and its opening is short: a directory that is ready takes the
// place of the empty one in one step, and what is written there can be led elsewhere.
const seen = new Set();
const hijacked = new Map();
let decoy;
function hijack(place) {
  for (const name of names(place)) {
    if (!name.startsWith(".compilecache-stage-") || name.includes("decoy") || seen.has(name)) continue;
    seen.add(name);
    if (attempt(() => { fs.renameSync(decoy, place + "/" + name); return true; }) === undefined) continue;
    // Led away too early, it is seen for what it is; too late, and nothing is written any more.
    hijacked.set(place + "/" + name, performance.now() + 3 * Math.random());
    swaps += 1;
    prepare();
  }
}
function prepare() {
  decoy = places[0] + "/decoy-" + made++;
  attempt(() => fs.mkdirSync(decoy, 0o777));
  attempt(() => fs.mkdirSync(decoy + "/a", 0o777));
}
function lead() {
  for (const [stage, due] of hijacked) {
    if (performance.now() < due) continue;
    attempt(() => fs.renameSync(stage + "/a", stage + "/aside"));
    attempt(() => fs.symlinkSync(victim + "/a", stage + "/a"));
    hijacked.delete(stage);
  }
}
function disturb() {
  for (const place of places) {
    for (const name of names(place)) {
      const entry = place + "/" + name;
      if (entry === decoy || hijacked.has(entry)) continue;
      if (Math.random() < 0.5 || name.startsWith(".compilecache")) swap(entry);
      for (const below of names(entry))
        if (Math.random() < 0.3 || below.startsWith(".compilecache")) swap(entry + "/" + below);
      attempt(() => fs.symlinkSync(victim + "/made", entry + "/.compilecache-not-loaded"));
      if (Math.random() < 0.3) clean(entry);
    }
    if (Math.random() < 0.2) clean(place);
  }
}
prepare();
(function step() {
  const until = Date.now() + 20;
  while (Date.now() < until) {
    for (const place of places) hijack(place);
    lead();
  }
  if (!patient) disturb();
  setImmediate(step);
})();
`;

/** A user who attacks from a process of its own. */
export interface SwappingUser {
  /** Ends it, and returns how many entries it has put something else in the place of. */
  end(): Promise<number>;
}

/**
 * Starts the attack on what lies in some places; its links lead to `victim`. One that is `patient` does
 * nothing but wait for stages.
 */
export function startSwappingUser(
  places: readonly string[],
  victim: string,
  patient: boolean,
): SwappingUser {
  const args = ["--eval", program, JSON.stringify([places, victim, patient])];
  const child: ChildProcess = spawn(process.execPath, args, {
    uid: nobody,
    gid: nobody,
    cwd: "/",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return {
    async end() {
      let output = "";
      child.stdout?.on("data", (data: Buffer) => {
        output += data;
      });
      child.kill("SIGTERM");
      await once(child, "close");
      return Number(output);
    },
  };
}
