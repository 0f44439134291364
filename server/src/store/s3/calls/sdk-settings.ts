import { loadConfig as load } from "@smithy/core/config";

type Selectors<T> = Parameters<typeof load<T>>[0];

/** Files as they are now: the SDK remembers them for the life of the process. */
const loadConfig = <T>(selectors: Selectors<T>): (() => Promise<T>) =>
  load(selectors, { ignoreCache: true });

type Validation = "WHEN_SUPPORTED" | "WHEN_REQUIRED";

/** Settings of the AWS SDK that the store goes by before it has a client. */
export interface SdkSettings {
  /** The server, where it is not AWS: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or the profile's; else empty. */
  readonly endpoint: string;
  /** The profile's `ca_bundle`, a path; empty if there is none. */
  readonly caBundle: string;
  /** When checksums that the server sends are checked; "WHEN_REQUIRED" where nothing is set. */
  readonly responseChecksumValidation: Validation;
}

/** Reads them from the environment and the profile, as the SDK does. Throws if a file is malformed. */
export async function readSdkSettings(): Promise<SdkSettings> {
  const isWord = (text: string | undefined): text is Validation =>
    text === "WHEN_SUPPORTED" || text === "WHEN_REQUIRED";
  const validation = (text: string | undefined) => {
    const word = text?.toUpperCase();
    return isWord(word) ? word : undefined;
  };
  return {
    endpoint: await readEndpoint(),
    caBundle: await loadConfig<string>({
      environmentVariableSelector: () => undefined,
      configFileSelector: ({ ca_bundle }) => ca_bundle,
      default: "",
    })(),
    // Reads are checked by the archive's own digests: damage must show as damage, not as a failure of
    // the store.
    responseChecksumValidation: await loadConfig<Validation>({
      environmentVariableSelector: ({ AWS_RESPONSE_CHECKSUM_VALIDATION: text }) => validation(text),
      configFileSelector: ({ response_checksum_validation: text }) => validation(text),
      default: "WHEN_REQUIRED",
    })(),
  };
}

/** The SDK finds it at its first call only, and tells nobody. */
async function readEndpoint(): Promise<string> {
  const isTrue = (text: string | undefined) => text?.toLowerCase() === "true";
  const isIgnored = await loadConfig<boolean>({
    environmentVariableSelector: ({ AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: text }) =>
      text === undefined ? undefined : isTrue(text),
    configFileSelector: ({ ignore_configured_endpoint_urls: text }) =>
      text === undefined ? undefined : isTrue(text),
    default: false,
  })();
  if (isIgnored) return "";
  return loadConfig<string>({
    environmentVariableSelector: ({ AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL }) =>
      AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL || undefined,
    configFileSelector: (profile, file) =>
      file?.[`services.${profile.services}`]?.["s3.endpoint_url"] || profile.endpoint_url,
    default: "",
  })();
}
