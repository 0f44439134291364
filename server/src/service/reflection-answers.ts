import { readFileSync } from "node:fs";
import {
  create,
  createFileRegistry,
  type DescFile,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type MethodDefinition, status } from "@grpc/grpc-js";
import { type ReflectionVersion, reflectionPath, serviceName } from "./reflection-names.ts";

/**
 * What `npm run generate` puts into descriptors.binpb: our contract, health, and reflection itself,
 * whose messages are encoded by these descriptors; no code is generated for them.
 */
const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync(new URL("descriptors.binpb", import.meta.url))),
);

/** A `ServerReflectionRequest`. Those about extensions are all answered alike: there are none. */
export type ReflectionRequest = {
  readonly host: string;
  readonly messageRequest:
    | {
        readonly case: "listServices" | "fileByFilename" | "fileContainingSymbol";
        readonly value: string;
      }
    | { readonly case: "fileContainingExtension"; readonly value: object }
    | { readonly case: "allExtensionNumbersOfType"; readonly value: string }
    | { readonly case: undefined };
};

type Answer =
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/** A `ServerReflectionResponse`. */
export type ReflectionResponse = {
  readonly validHost: string;
  readonly originalRequest: ReflectionRequest;
  readonly messageResponse: Answer;
};

/** The one method of a version of the service. The versions differ in their names alone. */
export function reflectionMethod(
  version: ReflectionVersion,
): MethodDefinition<ReflectionRequest, ReflectionResponse> {
  const method = registry.getService(serviceName(version))?.method.serverReflectionInfo;
  if (!method) throw new Error(`descriptors.binpb lacks ${serviceName(version)}`);
  const { input, output } = method;
  return {
    path: reflectionPath(version),
    requestStream: true,
    responseStream: true,
    requestSerialize: (request) => Buffer.from(toBinary(input, create(input, request))),
    requestDeserialize: (bytes) => fromBinary(input, bytes) as Message & ReflectionRequest,
    responseSerialize: (response) => Buffer.from(toBinary(output, create(output, response))),
    responseDeserialize: (bytes) => fromBinary(output, bytes) as Message & ReflectionResponse,
  };
}

/** The answer to a request, both serialised; `listed` are the services that there are. Throws for what is no request. */
export function reflectionAnswer(
  version: ReflectionVersion,
  bytes: Buffer,
  listed: readonly string[],
): Buffer {
  const { requestDeserialize, responseSerialize } = reflectionMethod(version);
  const request = requestDeserialize(bytes);
  const messageResponse = answerTo(request, listed);
  return responseSerialize({ validHost: request.host, originalRequest: request, messageResponse });
}

function answerTo({ messageRequest: asked }: ReflectionRequest, listed: readonly string[]): Answer {
  switch (asked.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: listed.map((name) => ({ name })) },
      };
    case "fileByFilename":
      return fileAnswer(registry.getFile(asked.value), asked.value);
    case "fileContainingSymbol":
      return fileAnswer(fileOfSymbol(asked.value), asked.value);
    default:
      return errorAnswer(status.UNIMPLEMENTED, "the contract has no extensions");
  }
}

/** The file that declares a type, a service, or a method of one. */
function fileOfSymbol(name: string): DescFile | undefined {
  const [, serviceName = "", methodName] = /^(.*)\.(.*)$/.exec(name) ?? [];
  const service = registry.getService(serviceName);
  const isMethod = service?.methods.some((method) => method.name === methodName);
  return isMethod ? service?.file : registry.get(name)?.file;
}

function fileAnswer(file: DescFile | undefined, asked: string): Answer {
  if (!file) return errorAnswer(status.NOT_FOUND, `${asked} is not known here`);
  const known = closures.get(file);
  const fileDescriptorProto = known ?? closureOf(file);
  if (!known) closures.set(file, fileDescriptorProto);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

/** Each is encoded once: there are a few, and callers may ask for them as often as they like. */
const closures = new Map<DescFile, Uint8Array[]>();

/** A file and all that it imports, serialised, imports last. */
function closureOf(file: DescFile, seen = new Set<DescFile>()): Uint8Array[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const imports = file.dependencies.flatMap((dependency) => closureOf(dependency, seen));
  return [toBinary(FileDescriptorProtoSchema, file.proto), ...imports];
}

function errorAnswer(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
