"""Start models under torch.compile and print, as one JSON line, what each step took.

The first call of each model, at each of its shapes, counts as its warm-up. Models are made on the GPU
with random weights, as the time to read real ones does not depend on the cache. STARTED in
the environment is the time (seconds since 1970) at which this process was started; all totals are
counted from it.

usage: workload.py --models NAME[,NAME...] --cache {given,compilecache,b10} [--save]
"""

import argparse
import json
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("--models", required=True)
parser.add_argument("--cache", choices=["given", "compilecache", "b10"], required=True)
parser.add_argument("--save", action="store_true")
args = parser.parse_args()
started = float(os.environ.get("STARTED", time.time()))
took = {"python_s": time.time() - started}


class Step:
    """Add the seconds that a block took to `took`."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.began = time.perf_counter()

    def __exit__(self, *error):
        took[self.name] = time.perf_counter() - self.began


status = None
if args.cache == "compilecache":
    with Step("prefetch_s"):
        import compilecache

        compilecache.prefetch()
with Step("import_s"):
    import torch
    import torchvision
    import transformers
if args.cache == "compilecache":
    with Step("load_s"):
        status = compilecache.load_compile_cache()
elif args.cache == "b10":
    with Step("load_s"):
        import b10_transfer

        status = b10_transfer.load_compile_cache()

BF16, FP16 = torch.bfloat16, torch.float16


def tokens(vocabulary, *shape):
    return torch.randint(0, vocabulary, shape, device="cuda")


def images():
    return torch.randn(8, 3, 224, 224, device="cuda", dtype=FP16)


def made(name, make):
    with Step(f"{name}_made_s"), torch.device("cuda"):
        return make().eval()


def llama():
    config = transformers.LlamaConfig(
        hidden_size=2048,
        intermediate_size=5632,
        num_hidden_layers=16,
        num_attention_heads=16,
        num_key_value_heads=8,
        vocab_size=32000,
    )
    model = torch.compile(made("llama", lambda: transformers.LlamaForCausalLM(config)).to(BF16))
    for batch, length in ((1, 128), (2, 256), (4, 64)):
        yield model(tokens(32000, batch, length), use_cache=False).logits


def resnet():
    model = made("resnet", torchvision.models.resnet50).to(FP16)
    model = model.to(memory_format=torch.channels_last)
    model = torch.compile(model, mode="max-autotune-no-cudagraphs")
    yield model(images().to(memory_format=torch.channels_last))


def vit():
    model = made("vit", torchvision.models.vit_b_16).to(FP16)
    model = torch.compile(model, mode="max-autotune-no-cudagraphs")
    yield model(images())


def bert():
    model = made("bert", lambda: transformers.BertModel(transformers.BertConfig())).to(BF16)
    model = torch.compile(model, mode="max-autotune-no-cudagraphs")
    for batch, length in ((4, 128), (8, 256)):
        yield model(tokens(30522, batch, length)).last_hidden_state


def gpt2():
    model = torch.compile(
        made("gpt2", lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config())).to(BF16)
    )
    for batch, length in ((2, 128), (4, 256)):
        yield model(tokens(50257, batch, length), use_cache=False).logits


models = {"llama": llama, "resnet": resnet, "vit": vit, "bert": bert, "gpt2": gpt2}
torch.manual_seed(0)
with torch.no_grad(), Step("models_s"):
    for name in args.models.split(","):
        with Step(f"{name}_s"):
            for output in models[name]():
                output.sum().item()
took["warm_s"] = time.time() - started
if args.save:
    with Step("save_s"):
        saved = compilecache.save_compile_cache(if_stored_exists="refresh")
    took["saved"] = str(saved)

files = size = 0
root = os.environ["TORCHINDUCTOR_CACHE_DIR"]
for folder, _, names in os.walk(root):
    files += len(names)
    size += sum(os.lstat(os.path.join(folder, name)).st_size for name in names)
from torch._dynamo.utils import compilation_time_metrics, counters  # noqa: E402

spent = {name: sum(seconds) for name, seconds in compilation_time_metrics.items()}

result = {
    key: round(value, 2) if isinstance(value, float) else value for key, value in took.items()
}
result.update(
    models=args.models,
    cache=args.cache,
    status=str(status),
    files=files,
    bytes=size,
    fxgraph={key: n for key, n in counters["inductor"].items() if "fxgraph_cache" in key},
    aot=dict(counters.get("aot_autograd", {})),
    # Phases of torch's own; one may contain another.
    torch_s={name: round(seconds, 2) for name, seconds in spent.items() if seconds > 0.3},
)
print(json.dumps(result), flush=True)
