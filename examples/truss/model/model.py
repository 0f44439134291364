"""A Truss model that is compiled by its first replica, and loaded by all others."""

import compilecache

# From here on the load runs, while torch is imported.
compilecache.prefetch()

import torch  # noqa: E402

_features = 256


class Model:
    def __init__(self, **kwargs):
        self._network = None

    def load(self):
        network = torch.nn.Sequential(
            torch.nn.Linear(_features, 4 * _features),
            torch.nn.GELU(),
            torch.nn.Linear(4 * _features, _features),
        ).eval()
        compilecache.load_compile_cache()
        self._network = torch.compile(network)
        # Compiles, or finds what was loaded.
        self._run([0.0] * _features)
        # Here, for nothing of ours runs when Truss stops a replica. Saves only what is new.
        compilecache.save_compile_cache(if_stored_exists="refresh")
        compilecache.report()

    def predict(self, request):
        return {"output": self._run(request["input"])}

    def _run(self, row):
        with torch.inference_mode():
            return self._network(torch.tensor([row])).tolist()[0]
