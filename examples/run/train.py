"""A training step that knows nothing of a cache: `compilecache run` has it find what others built."""

import time

started = time.perf_counter()

import torch  # noqa: E402


def main() -> None:
    """Compile a step, and run it until it is warm."""
    network = torch.nn.Sequential(
        torch.nn.Linear(256, 1024), torch.nn.GELU(), torch.nn.Linear(1024, 256)
    )
    optimizer = torch.optim.AdamW(network.parameters())

    @torch.compile
    def step(rows: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = (network(rows) - rows).square().mean()
        loss.backward()
        return loss.detach()

    for _ in range(3):
        optimizer.zero_grad()
        loss = step(torch.randn(64, 256))
        optimizer.step()
    print(f"warm after {time.perf_counter() - started:.1f} s, loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
