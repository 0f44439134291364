"""The clients of the daemon. Only this room imports gRPC."""
