"""A small transformer, compiled: what a model author's program looks like with the cache."""

import sys
import time

started = time.perf_counter()

import compilecache  # noqa: E402

# From here on the load runs, while torch is imported.
compilecache.prefetch()

import torch  # noqa: E402
from torch import nn  # noqa: E402


class Block(nn.Module):
    """Attention and a feed-forward part, each after a normalisation and around it."""

    def __init__(self, width: int, heads: int) -> None:
        """Make the parts."""
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the next representation, of the same shape."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(self.norms[0](x)).chunk(3, dim=-1)
        )
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(-2))
        return x + self.feed_forward(self.norms[1](x))


def main() -> None:
    """Load, compile, warm up, save; say when the model was warm."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    model = nn.Sequential(*(Block(width=256, heads=4) for _ in range(4))).to(device).eval()
    example = torch.randn(2, 64, 256, device=device)

    compilecache.load_compile_cache()
    compiled = torch.compile(model)
    with torch.inference_mode():
        result = compiled(example)
        if device == "cuda":
            torch.cuda.synchronize()
        warm = time.perf_counter() - started
        difference = (result - model(example)).abs().max().item()
    compilecache.save_compile_cache(if_stored_exists="refresh")
    print(f"warm after {warm:.1f} s on {device}; at most {difference:.1e} from uncompiled")
    print(compilecache.report())
    sys.exit(difference > 1e-3)


if __name__ == "__main__":
    main()
