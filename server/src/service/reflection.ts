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
import {
  type handleBidiStreamingCall,
  type MethodDefinition,
  type Server,
  status,
} from "@grpc/grpc-js";
import { encodingItself } from "./bounds/call-gate.ts";

/** How many streams there may be at once: each holds some requests, and one answer of up to 100 KB. */
const mostStreams = 32;
/** A stream that asks for nothing ends after so long. */
const mostIdleMs = 60_000;

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

type Version = "v1" | "v1alpha";

/** The one method of a version of the service. The versions differ in their names alone. */
export function reflectionMethod(
  version: Version,
): MethodDefinition<ReflectionRequest, ReflectionResponse> {
  const method = registry.getService(serviceName(version))?.method.serverReflectionInfo;
  if (!method) throw new Error(`descriptors.binpb lacks ${serviceName(version)}`);
  const { input, output } = method;
  return {
    path: `/${serviceName(version)}/${method.name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: (request) => Buffer.from(toBinary(input, create(input, request))),
    requestDeserialize: (bytes) => fromBinary(input, bytes) as Message & ReflectionRequest,
    responseSerialize: (response) => Buffer.from(toBinary(output, create(output, response))),
    responseDeserialize: (bytes) => fromBinary(output, bytes) as Message & ReflectionResponse,
  };
}

/**
 * Adds server reflection, v1 and v1alpha, which lists `serviceNames` and itself.
 * (`@grpc/reflection` cannot serve files that import others.)
 */
export function addReflection(server: Server, serviceNames: readonly string[]): void {
  const versions: Version[] = ["v1", "v1alpha"];
  const listed = [...serviceNames, ...versions.map(serviceName)].map((name) => ({ name }));

  const answer = ({ messageRequest: asked }: ReflectionRequest): Answer => {
    switch (asked.case) {
      case "listServices":
        return { case: "listServicesResponse", value: { service: listed } };
      case "fileByFilename":
        return fileAnswer(registry.getFile(asked.value), asked.value);
      case "fileContainingSymbol":
        return fileAnswer(fileOfSymbol(asked.value), asked.value);
      default:
        return errorAnswer(status.UNIMPLEMENTED, "the contract has no extensions");
    }
  };

  let streams = 0;
  const serverReflectionInfo: handleBidiStreamingCall<ReflectionRequest, ReflectionResponse> = (
    call,
  ) => {
    if (streams === mostStreams) {
      const details = `there are ${mostStreams} streams of reflection already`;
      call.emit("error", { code: status.RESOURCE_EXHAUSTED, details });
      return;
    }
    streams += 1;
    call.once("cancelled", () => {
      streams -= 1;
    });
    const end = () => call.end();
    let idle = setTimeout(end, mostIdleMs).unref();
    call.on("data", (request: ReflectionRequest) => {
      clearTimeout(idle);
      // One request at a time: the next is read when this answer has left.
      call.pause();
      const { host: validHost } = request;
      call.write({ validHost, originalRequest: request, messageResponse: answer(request) }, () => {
        idle = setTimeout(end, mostIdleMs).unref();
        call.resume();
      });
    });
    call.on("end", end);
  };
  for (const version of versions)
    server.addService(encodingItself({ serverReflectionInfo: reflectionMethod(version) }), {
      serverReflectionInfo,
    });
}

function serviceName(version: Version): string {
  return `grpc.reflection.${version}.ServerReflection`;
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
