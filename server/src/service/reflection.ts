import { readFileSync } from "node:fs";
import { createFileRegistry, type DescFile, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type handleBidiStreamingCall, type Server, status } from "@grpc/grpc-js";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService,
} from "compilecache-client/gen/grpc/reflection/v1/reflection.ts";

type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;
type Handler = handleBidiStreamingCall<ServerReflectionRequest, ServerReflectionResponse>;

/** What the server can tell about its contract: files by name, and the file of each symbol. */
function indexDescriptors(encodedSet: Uint8Array) {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, encodedSet));
  const files = new Map<string, DescFile>();
  const fileOfSymbol = new Map<string, DescFile>();
  for (const file of registry.files) files.set(file.proto.name, file);
  for (const type of registry) {
    fileOfSymbol.set(type.typeName, type.file);
    if (type.kind === "service")
      for (const method of type.methods)
        fileOfSymbol.set(`${type.typeName}.${method.name}`, type.file);
  }
  return { files, fileOfSymbol };
}

/** A file and all that it imports, serialised, imports last. */
function closureOf(file: DescFile, seen = new Set<DescFile>()): Uint8Array[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const imports = file.dependencies.flatMap((dependency) => closureOf(dependency, seen));
  return [toBinary(FileDescriptorProtoSchema, file.proto), ...imports];
}

/**
 * Adds server reflection, v1 and v1alpha, which lists `serviceNames` and knows all that `npm run
 * generate` put into descriptors.binpb: our contract, health and reflection itself.
 * (`@grpc/reflection` cannot serve files that import others.)
 */
export function addReflection(server: Server, serviceNames: readonly string[]): void {
  const encodedSet = readFileSync(new URL("descriptors.binpb", import.meta.url));
  const { files, fileOfSymbol } = indexDescriptors(encodedSet);

  const fileAnswer = (file: DescFile | undefined, asked: string): Answer =>
    file
      ? {
          $case: "fileDescriptorResponse",
          value: { fileDescriptorProto: closureOf(file).map((bytes) => Buffer.from(bytes)) },
        }
      : errorAnswer(status.NOT_FOUND, `${asked} is not known here`);

  const answer = ({ messageRequest: asked }: ServerReflectionRequest): Answer => {
    switch (asked?.$case) {
      case "listServices": {
        const service = serviceNames.map((name) => ({ name }));
        return { $case: "listServicesResponse", value: { service } };
      }
      case "fileByFilename":
        return fileAnswer(files.get(asked.value), asked.value);
      case "fileContainingSymbol":
        return fileAnswer(fileOfSymbol.get(asked.value), asked.value);
      default:
        return errorAnswer(status.UNIMPLEMENTED, "the contract has no extensions");
    }
  };

  const serverReflectionInfo: Handler = (call) => {
    call.on("data", (request: ServerReflectionRequest) => {
      const { host: validHost } = request;
      call.write({ validHost, originalRequest: request, messageResponse: answer(request) });
    });
    call.on("end", () => call.end());
  };

  server.addService(ServerReflectionService, { serverReflectionInfo });
  // The two versions differ in name alone.
  const path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  const method = { ...ServerReflectionService.serverReflectionInfo, path };
  server.addService({ serverReflectionInfo: method }, { serverReflectionInfo });
}

function errorAnswer(errorCode: number, errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode, errorMessage } };
}
