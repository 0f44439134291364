#!/bin/sh
# Fails when generated code is not what its sources give today.
set -eu
cd "$(dirname "$0")/.."
generated="clients/typescript/gen clients/python/src/compilecache/v1 clients/python/src/compilecache/_rpc/client.py server/src/service/descriptors.binpb"
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
for path in $generated; do
  mkdir -p "$before/$(dirname "$path")"
  cp -r "$path" "$before/$path"
done
sh scripts/generate.sh
for path in $generated; do
  diff -r -x __pycache__ "$before/$path" "$path" || {
    echo "generated code was stale: commit what npm run generate made" >&2
    exit 1
  }
done
