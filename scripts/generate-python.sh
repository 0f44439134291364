#!/bin/sh
# Generates clients/python/src/compilecache/v1 from proto/, and the client from the one for asyncio.
set -eu
cd "$(dirname "$0")/.."
python3 scripts/python-env.py
rm -f clients/python/src/compilecache/v1/*_pb2*.py*
node_modules/.bin/buf generate --template buf.gen.python.yaml
.venv/bin/python scripts/generate-client.py
