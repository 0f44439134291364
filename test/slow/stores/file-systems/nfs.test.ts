import { describe, it } from "node:test";
import { guestNeeds } from "../../../support/guest/guest.ts";
import { cannotRun } from "../../../support/machine/programs.ts";
import { runsAll } from "../../../support/machine/tools.ts";
import { runInGuest } from "./guest-tests.ts";

const skip = runsAll ? cannotRun(...guestNeeds) : "takes long; npm run test:stores runs it";
/** How long they take differs much with the machine: the daemons alone took over ten minutes on a quiet one. */
const skipLong =
  process.env.NFS_TESTS === "all" ? skip : skip || "takes long; npm run test:nfs runs it";

describe("the file store on a real NFS", { skip }, () => {
  it("keeps its contract", (t) => runInGuest(t, ["contract.ts"]));
  it("survives races of processes on two clients", (t) => runInGuest(t, ["races.ts"]));
  it("serves daemons on two clients", { skip: skipLong }, (t) => runInGuest(t, ["daemons.ts"]));
  it("survives a server that is full, read-only, gone or restarted", { skip: skipLong }, (t) =>
    runInGuest(t, ["faults.ts"]),
  );
});
