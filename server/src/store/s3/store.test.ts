import { recordingLogger } from "../../../../test/support/recording-logger.ts";
import { startScriptedS3 } from "../../../../test/support/s3/scripted-s3.ts";
import { testStore } from "../contract/suite.ts";
import { createS3Store } from "./store.ts";

testStore("the S3 store on a server in memory", async (t) => {
  const { bucket, endpoint } = await startScriptedS3(t);
  const credentials = { accessKeyId: "scripted", secretAccessKey: "scripted" };
  return {
    connect: async () =>
      createS3Store({
        bucket,
        prefix: "prefix",
        logger: recordingLogger([]),
        server: { endpoint, credentials },
      }),
  };
});
