import { attacks } from "./attacks.ts";
import { targetOf } from "./peer.ts";

/** A process of its own, so that the attack takes no time from the client that is served beside it. */
const [name = "", address = "", operationId = "", localDir = ""] = process.argv.slice(2);
const attack = attacks[name];
if (!attack) throw new Error(`there is no attack ${name}`);
attack(targetOf(address), { operationId, localDir });
process.on("disconnect", () => process.exit());
