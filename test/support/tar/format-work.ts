import { decodeManifest } from "../../../server/src/archive/format/decode-manifest.ts";
import type { FormatWork } from "../../../server/src/archive/format/port.ts";

/** Opens archives on the thread of the test, for tests that have no others. */
export const formatWork: FormatWork = {
  decodeManifest: async (payload) => decodeManifest(Buffer.from(payload)),
};
