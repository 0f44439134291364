import { describe } from "node:test";
import { testStore } from "../../../server/src/store/contract/suite.ts";
import { createS3Store } from "../../../server/src/store/s3/store.ts";
import { recordingLogger } from "../../support/recording-logger.ts";
import { objectServerForSuite } from "../../support/s3/object-server.ts";
import { lacksTools, leavesOut } from "../../support/tools.ts";

for (const { name, skip = false } of [
  { name: "versitygw", skip: lacksTools("versitygw") },
  { name: "minio", skip: leavesOut("minio") },
] as const)
  describe(`a store on ${name}`, { skip }, () => {
    const server = objectServerForSuite(name);
    let count = 0;
    testStore(name, async () => {
      const prefix = `test-${count++}`;
      return {
        connect: async () =>
          createS3Store({
            bucket: server().bucket,
            prefix,
            logger: recordingLogger([]),
            server: server().server,
          }),
      };
    });
  });
