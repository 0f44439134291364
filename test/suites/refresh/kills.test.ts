import { it } from "node:test";
import { convergeUnderKills } from "../../support/refresh-under-kills.ts";

it("refreshes by several daemons that are killed at random converge, and none loses another's", (t) =>
  convergeUnderKills(t, { machines: 3, killsEach: 2 }));
