import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  bootGuest,
  createGuestPlace,
  type GuestPlace,
  guestNeeds,
} from "../../../support/guest/guest.ts";
import { cannotRun } from "../../../support/machine/programs.ts";
import { runsAll } from "../../../support/machine/tools.ts";
import { cutPower } from "./guest/power.ts";
import { runInGuest } from "./guest-tests.ts";

const skip = runsAll ? cannotRun(...guestNeeds) : "takes long; npm run test:stores runs it";
const rounds = 2;
const bootedWithinMs = 120_000;

describe("a power cut in the middle of saves", { skip }, () => {
  for (let round = 1; round <= rounds; round++)
    it(`leaves what was acknowledged, whole (${round})`, async (t) => {
      const place = await createGuestPlace(t);
      await saveUntilPowerFails(t, place);
      await runInGuest(t, ["after-power-loss.ts"], place);
    });
});

async function saveUntilPowerFails(t: TestContext, place: GuestPlace): Promise<void> {
  const program = "test/slow/stores/file-systems/guest/save-until-power-fails.ts";
  const guest = await bootGuest(t, place, `node ${program}`, bootedWithinMs * 2);
  const notes = join(place.dir, cutPower);
  const count = () => (existsSync(notes) ? readFileSync(notes, "utf8").split("\n").length : 0);
  for (let waitedMs = 0; count() < 30; waitedMs += 100) {
    assert.ok(waitedMs < bootedWithinMs, guest.console());
    await sleep(100);
  }
  await sleep(Math.random() * 2_000);
  guest.kill();
  assert.equal(await guest.ended, undefined, guest.console());
}
