import { startScriptedS3 } from "../../../../test/support/s3/scripted-s3.ts";
import { credentials } from "../../../../test/support/s3/scripted-store.ts";
import { silentLogger } from "../../../../test/support/silent-logger.ts";
import { testStore } from "../contract/suite.ts";
import { createS3Store } from "./store.ts";

testStore("the S3 store on a server in memory", async (t) => {
  const { bucket, endpoint } = await startScriptedS3(t);
  const server = { endpoint, credentials };
  return {
    connect: async () => createS3Store({ bucket, prefix: "prefix", logger: silentLogger, server }),
  };
});
