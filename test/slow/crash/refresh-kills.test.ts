import { it } from "node:test";
import { convergeUnderKills } from "../../support/refresh-under-kills.ts";

it("refreshes by many daemons that are often killed converge, and none loses another's", (t) =>
  convergeUnderKills(t, { machines: 6, killsEach: 15 }));
