import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import type { Logger } from "../../../domain/logger.ts";
import { credentialsReader, rereadRefusedCredentials } from "./fresh-credentials.ts";
import { readProxies } from "./proxy.ts";
import { createRegion } from "./region.ts";
import { readSdkSettings } from "./sdk-settings.ts";
import { readTrustedCertificates } from "./trusted-certificates.ts";

const connectMs = 3_000;
const attempts = 5;

/** A server, where it is not the one that the environment names. */
export type S3Server = Pick<S3ClientConfig, "endpoint" | "credentials">;

/**
 * A client that takes endpoint, region, credentials, proxies, certificates and checksums from where the
 * AWS SDK and its users have them: environment variables, profiles, roles. A server that is not AWS is
 * called with the bucket in the path, for few such servers have a host name for each bucket. An
 * anonymous client signs nothing.
 */
export async function createS3Client(
  logger: Logger,
  { server = {}, isAnonymous = false }: { server?: S3Server; isAnonymous?: boolean } = {},
): Promise<S3Client> {
  const settings = await readSdkSettings();
  const isElsewhere = Boolean(server.endpoint || settings.endpoint);
  const region = createRegion(isElsewhere);
  const proxyEnv = readProxies(process.env, logger);
  if (proxyEnv && !agentsKnowProxies())
    logger.warn(
      `HTTPS_PROXY and HTTP_PROXY are passed over: ${process.version} is too old; use Node 24.5 or newer`,
    );
  const secureContext = readTrustedCertificates(process.env, settings.caBundle, logger);
  const agent = { maxSockets: 256, ...(proxyEnv ? { proxyEnv } : {}) };
  const client = new S3Client({
    credentials: isAnonymous ? noCredentials : credentialsReader(sdkLogger(logger)),
    ...(isAnonymous ? { signer: { sign: async (request) => request } } : {}),
    ...server,
    logger: sdkLogger(logger),
    forcePathStyle: isElsewhere,
    region: region.current,
    retryMode: "standard",
    maxAttempts: attempts,
    responseChecksumValidation: settings.responseChecksumValidation,
    // It would take a new connection for each part.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: connectMs,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: { ...agent, ...(secureContext ? { secureContext } : {}) },
    },
  });
  region.followCorrections(client);
  if (!isAnonymous && !server.credentials) rereadRefusedCredentials(client);
  return client;
}

const noCredentials = { accessKeyId: "", secretAccessKey: "" };

/** Node's agents take `proxyEnv` since 24.5, and older ones say nothing of it. */
function agentsKnowProxies(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 24 || (major === 24 && minor >= 5);
}

/** Without it the SDK prints its warnings; it would also log each call with all its content. */
function sdkLogger(logger: Logger): NonNullable<S3ClientConfig["logger"]> {
  const warn = (warning: unknown) =>
    logger.debug("the AWS SDK warns", { warning: String(warning) });
  return { trace() {}, debug() {}, info() {}, warn, error() {} };
}
