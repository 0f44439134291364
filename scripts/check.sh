#!/bin/sh
# All checks that run no tests: contract, generated code, format, lint, types.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
buf lint
buf format -d --exit-code proto
buf breaking proto --against proto/released.binpb
sh scripts/check-generated.sh
biome ci --error-on-warnings .
tsc -p .
cd clients/python
../../.venv/bin/ruff format --check . ../b10-transfer-shim
../../.venv/bin/ruff check . ../b10-transfer-shim
../../.venv/bin/mypy
../../.venv/bin/pyright
