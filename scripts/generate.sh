#!/bin/sh
# Generates all code that comes from proto/, with local plugins alone.
set -eu
cd "$(dirname "$0")/.."
node_modules/.bin/buf generate
node_modules/.bin/buf build --as-file-descriptor-set -o server/src/service/descriptors.binpb
sh scripts/generate-python.sh
