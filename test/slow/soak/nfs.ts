// The same on a real NFS with two clients, which share nothing but the server: `npm run test:soak:nfs`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bootGuest, createGuestPlace } from "../../support/guest/guest.ts";
import { soakMinutes } from "../../support/soak/soak.ts";

test(`${soakMinutes} minutes of everything at once on NFS`, async (t) => {
  const command = `NO_COLOR=1 FORCE_COLOR=0 SOAK_MINUTES=${soakMinutes} node --test test/slow/soak/in-guest.ts`;
  const timeoutMs = (soakMinutes + 15) * 60_000;
  const guest = await bootGuest(t, await createGuestPlace(t), command, timeoutMs);
  const status = await guest.ended;
  for (const [, line] of guest.console().matchAll(/^ℹ (.*: .*)$/gm)) t.diagnostic(line as string);
  assert.equal(status, 0, guest.console());
});
