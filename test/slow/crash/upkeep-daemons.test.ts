import { mkdirSync } from "node:fs";
import { it } from "node:test";
import { openFileStore } from "../../support/file-store.ts";
import { stayBoundedUnderKills } from "../../support/upkeep/bounded-under-kills.ts";

it("a directory stays bounded, sound and signed under many daemons that are often killed", (t) =>
  stayBoundedUnderKills(t, ({ store }) => {
    // Commands make none.
    mkdirSync(store);
    return {
      variables: { COMPILE_CACHE_STORE: `file://${store}` },
      open: () => openFileStore(store),
    };
  }));
