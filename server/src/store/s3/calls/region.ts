import { S3Client } from "@aws-sdk/client-s3";
import { answerOf, statusOf } from "./error.ts";

/** Signing needs the name of a region; servers other than AWS seldom care which. */
const regionElsewhere = "us-east-1";

/** The region that calls are signed for, which a store may correct. */
export interface Region {
  /** Throws the SDK's error where none is configured. */
  current(): Promise<string>;
  /** Has a client repeat a call for the region that the store names in its place. */
  followCorrections(client: S3Client): void;
}

/**
 * The region of AWS_REGION or the profile, as the SDK has it; else that of AWS_DEFAULT_REGION, as other
 * tools do. A correction holds until the next, so that a false one heals. (The SDK's own way of
 * following them changes its client for good when calls run at once.)
 */
export function createRegion(isElsewhere: boolean): Region {
  const configured = new S3Client({}).config.region;
  let corrected: string | undefined;
  const current = async () => {
    if (corrected) return corrected;
    return configured().catch((error: unknown) => {
      const fallback = process.env.AWS_DEFAULT_REGION || (isElsewhere ? regionElsewhere : "");
      if (fallback) return fallback;
      throw error;
    });
  };
  return {
    current,
    followCorrections(client) {
      client.middlewareStack.add(
        (next) => async (args) => {
          const asked = await current().catch(() => undefined);
          try {
            return await next(args);
          } catch (error) {
            const named = regionIn(error);
            if (!named || named === asked) throw error;
            corrected = named;
            return next(args);
          }
        },
        { name: "followCorrections", step: "initialize", priority: "high" },
      );
    },
  };
}

/** The region that an answer says is the right one. */
export function regionIn(error: unknown): string | undefined {
  if (statusOf(error) !== 301 && statusOf(error) !== 400) return undefined;
  const { Region } = error as { Region?: string };
  const region = Region ?? answerOf(error)?.headers["x-amz-bucket-region"];
  return region && /^[a-z0-9-]+$/.test(region) ? region : undefined;
}
