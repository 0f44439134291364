"""The contract `compilecache.v1`, as generated: messages in `*_pb2`, stubs in `*_pb2_grpc`."""
