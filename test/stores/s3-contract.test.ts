import { after, before, describe } from "node:test";
import { createS3Store } from "../../server/src/store/s3-store.ts";
import { recordingLogger } from "../service/served-core.ts";
import { testStore } from "../store-contract/suite.ts";
import { type ObjectServer, startObjectServer } from "./object-server.ts";
import { lacksTools, leavesOut } from "./tools.ts";

for (const { name, skip = false } of [
  { name: "versitygw", skip: lacksTools("versitygw") },
  { name: "minio", skip: leavesOut("minio") },
] as const)
  describe(`a store on ${name}`, { skip }, () => {
    let server: ObjectServer;
    let count = 0;
    let end = async () => {};
    before(async () => {
      const scope = {
        after(cleanUp: () => Promise<void>) {
          end = cleanUp;
        },
      };
      server = await startObjectServer(scope, name);
    });
    after(() => end());
    testStore(name, async () => {
      const prefix = `test-${count++}`;
      return {
        connect: async () =>
          createS3Store({
            bucket: server.bucket,
            prefix,
            logger: recordingLogger([]),
            server: server.server,
          }),
      };
    });
  });
