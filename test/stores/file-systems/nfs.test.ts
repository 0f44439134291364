import { describe, it } from "node:test";
import { runsAll } from "../tools.ts";
import { guestNeeds } from "./guest.ts";
import { runInGuest } from "./guest-tests.ts";
import { cannotRun } from "./programs.ts";

const skip = runsAll ? cannotRun(...guestNeeds) : "takes long; npm run test:stores runs it";

describe("the file store on a real NFS", { skip }, () => {
  it("keeps its contract", (t) => runInGuest(t, ["contract.ts"]));
  it("stands races of processes on two clients", (t) => runInGuest(t, ["races.ts"]));
  it("serves daemons on two clients", (t) => runInGuest(t, ["daemons.ts"]));
  it("stands a server that is full, read-only, gone or restarted", (t) =>
    runInGuest(t, ["faults.ts"]));
});
