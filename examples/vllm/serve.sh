#!/bin/sh
# Serves a model with vLLM: what its kernels were compiled to on another machine is loaded first, and
# what is new is saved once the server is healthy.
#
#     ./serve.sh meta-llama/Llama-3.1-8B --port 8000
set -eu
model=$1
shift
# Caches of one model are shared by all its servers, and by no others.
export COMPILE_CACHE_NAMESPACE="${COMPILE_CACHE_NAMESPACE:-$model}"
exec compilecache-vllm vllm serve "$model" "$@"
