import { describe } from "node:test";
import { testStore } from "../../../server/src/store/contract/suite.ts";
import { lacksTools, leavesOut } from "../../support/machine/tools.ts";
import { objectServerForSuite, openStoreOn } from "../../support/s3/object-server.ts";

for (const { name, skip = false } of [
  { name: "versitygw", skip: lacksTools("versitygw") },
  { name: "minio", skip: leavesOut("minio") },
] as const)
  describe(`a store on ${name}`, { skip }, () => {
    const server = objectServerForSuite(name);
    let count = 0;
    testStore(name, async () => {
      const prefix = `test-${count++}`;
      return { connect: () => openStoreOn(server(), prefix) };
    });
  });
