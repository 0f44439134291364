"""Models as the pages of b10-transfer show them."""

# A torch that "compiles" a model when it is first called, and finds what is there.
torch_that_compiles = """
import os, pathlib, time
from torch import version

__version__ = version.__version__
compiled = 0

def compile(model, mode=None):
    def run(*arguments):
        global compiled
        directory = pathlib.Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
        kernel = directory / "ab" / f"{model.__name__}.py"
        if not kernel.exists():
            kernel.parent.mkdir(parents=True, exist_ok=True)
            kernel.write_text("kernel")
            # A save waits for a file of just now.
            os.utime(kernel, (time.time() - 60, time.time() - 60))
            compiled += 1
        return model(*arguments)
    return run
"""

version_0_0 = """
    import compilecache as b10_transfer
    import torch

    def answer(question):
        return 42

    def load():
        found = b10_transfer.load_compile_cache()
        model = torch.compile(answer)
        model("a dummy question")
        if found != b10_transfer.LoadStatus.SUCCESS:
            saved = b10_transfer.save_compile_cache()
            assert saved == b10_transfer.SaveStatus.SUCCESS, saved
        return found

    print(load().name, torch.compiled)
"""

version_0_4 = """
    import torch
    from compilecache import load_compile_cache, save_compile_cache, OperationStatus

    class Model:
        def load(self):
            self.model = lambda text: len(text)
            self.model.__name__ = "length"
            loaded = load_compile_cache()
            if loaded == OperationStatus.ERROR:
                print("eager")
                return
            self.model = torch.compile(self.model, mode="max-autotune-no-cudagraphs")
            self.model("dummy input")
            self.model("another dummy input")
            if loaded != OperationStatus.SUCCESS:
                assert save_compile_cache() == OperationStatus.SUCCESS
            print(loaded.name, torch.compiled)

    Model().load()
"""
