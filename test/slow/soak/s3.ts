// The same on an S3 server, which is killed and started again: `npm run test:soak:s3`. SOAK_SERVER names
// another than versitygw.
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerName } from "../../../fixtures/object-server.ts";
import { startTestObjectServer } from "../../support/s3/object-server.ts";
import { soak, soakMinutes } from "../../support/soak/soak.ts";

const name = (process.env.SOAK_SERVER ?? "versitygw") as ServerName;

test(`${soakMinutes} minutes of everything at once on ${name}`, async (t) => {
  const server = await startTestObjectServer(t, name);
  const variables = server.variables("soak");
  await soak(t, {
    urls: [variables.COMPILE_CACHE_STORE as string],
    variables,
    async outage() {
      await server.kill("SIGKILL");
      await sleep(1_000);
      await server.restart();
    },
  });
});
