"""Measure process start to warm model with no cache, with b10-transfer, and with compilecache.

Runs on a machine with a GPU, PyTorch, torchvision and transformers, with a compilecache daemon
reachable (COMPILE_CACHE_ADDRESS) or startable. Every run is a fresh process, and only one local
directory exists at a time. Results are appended to OUT/runs.jsonl one by one.

usage: warm_start.py OUT STEP [STEP...]
  cold:MODELS[:N]       nothing cached
  given:MODELS[:N]      with the local directory as the step before left it
  seed:TAR              fill the local directory from a tar archive (its one folder is the cache)
  save:b10|ours[:NAME]  save the local directory (with compilecache: under profile NAME)
  b10:MODELS[:N]        b10-transfer loads, N fresh processes (default 3)
  ours:MODELS[:N]       compilecache loads
  refresh:MODELS        compilecache loads, and saves again after warm-up
  settle:MODELS         refreshes until nothing new is saved, four times at most
  audit:MODELS:NAME     compilecache loads; which files are opened goes to OUT/opened-NAME.json
  moved:MODELS[:N]      compilecache loads into another directory
  ns:NAME               from this step on, both use new places for their archives
"""

import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent
local = pathlib.Path("/tmp/torchinductor_root")
namespace = ["default"]


def environment(local_dir):
    made = dict(os.environ, TORCHINDUCTOR_CACHE_DIR=str(local_dir), BASETEN_FS_ENABLED="1")
    # b10-transfer's keys hold no namespace; its archives have their own directory instead.
    made.update(B10FS_CACHE_DIR=f"/cache/model/{namespace[0]}", LOCAL_WORK_DIR="/app")
    made.update(COMPILE_CACHE_STORE="file:///cache/model/compile_cache")
    made.update(MIN_B10FS_SPACE_MB="100", MIN_LOCAL_SPACE_MB="100")
    made.update(COMPILE_CACHE_NAMESPACE=namespace[0], STARTED=repr(time.time()))
    return made


def record(out, result):
    with (out / "runs.jsonl").open("a") as file:
        file.write(json.dumps(result) + "\n")
    print(json.dumps(result), flush=True)


def python(code, local_dir=local):
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(local_dir), text=True, capture_output=True
    )
    return {
        "s": round(time.time() - began, 2),
        "said": done.stdout.strip()[-500:],
        "error": done.stderr[-800:],
    }


def start(out, label, models, cache, *options, local_dir=local, extra=None):
    command = [
        sys.executable,
        str(here / "workload.py"),
        "--models",
        models,
        "--cache",
        cache,
        *options,
    ]
    env = environment(local_dir)
    env.update(extra or {})
    done = subprocess.run(command, env=env, text=True, capture_output=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        record(out, {"label": label, "failed": done.returncode, "error": done.stderr[-3000:]})
        return {}
    result = json.loads(lines[-1])
    record(out, {"label": label, "ns": namespace[0], **result})
    return result


def clear():
    shutil.rmtree(local, ignore_errors=True)
    local.mkdir()


def refresh(out, models):
    clear()
    return start(out, "refresh", models, "compilecache", "--save")


def opened(out, models, name):
    clear()
    with tempfile.TemporaryDirectory() as hook:
        shutil.copy(here / "opened_files.py", f"{hook}/sitecustomize.py")
        log = pathlib.Path(hook, "log")
        path = os.pathsep.join(filter(None, [hook, os.environ.get("PYTHONPATH")]))
        python("import compilecache; print(compilecache.load_compile_cache())")
        sizes = {
            str(p.relative_to(local)): p.stat().st_size for p in local.rglob("*") if p.is_file()
        }
        extra = {"OPENED_ROOT": str(local), "OPENED_LOG": str(log), "PYTHONPATH": path}
        start(out, f"audit-{name}", models, "given", extra=extra)
        seen = set(log.read_text().splitlines()) if log.exists() else set()
    kinds = collections.defaultdict(lambda: [0, 0, 0, 0])
    for path, size in sizes.items():
        parts = pathlib.Path(path)
        stem = "__grp__" if parts.name.startswith("__grp__") else ""
        top = parts.parts[0] if len(parts.parts[0]) > 2 else "??"
        kind = kinds[f"{top}/{stem}*{parts.suffix}"]
        kind[0] += 1
        kind[1] += size
        if path in seen:
            kind[2] += 1
            kind[3] += size
    report = {"kinds": dict(kinds), "opened_but_new": len(seen - set(sizes))}
    (out / f"opened-{name}.json").write_text(json.dumps(report, indent=1))
    for kind, (files, size, read, read_bytes) in sorted(kinds.items()):
        print(f"  {kind}: {read} of {files} files, {read_bytes} of {size} bytes", flush=True)


def step(out, words):
    name, *rest = words.split(":")
    if name == "ns":
        namespace[0] = rest[0]
    elif name == "cold":
        for _ in range(int(rest[1]) if len(rest) > 1 else 1):
            clear()
            start(out, "cold", rest[0], "given")
    elif name == "given":
        for _ in range(int(rest[1]) if len(rest) > 1 else 1):
            start(out, "given", rest[0], "given")
    elif name == "seed":
        clear()
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["tar", "-xf", rest[0], "-C", folder], check=True)
            (only,) = pathlib.Path(folder).iterdir()
            subprocess.run(["cp", "-a", f"{only}/.", str(local)], check=True)
    elif name == "save":
        if rest[0] == "b10":
            code = "import torch, b10_transfer, time; t = time.time(); print(b10_transfer.save_compile_cache(), time.time() - t)"
        else:
            profile = f"profile={rest[1]!r}" if len(rest) > 1 else ""
            code = f"import time; t = time.time(); import compilecache; print(compilecache.save_compile_cache({profile}), time.time() - t)"
        time.sleep(2)
        record(out, {"label": "-".join(["save", *rest]), "ns": namespace[0], **python(code)})
    elif name in ("b10", "ours"):
        cache = "b10" if name == "b10" else "compilecache"
        for _ in range(int(rest[1]) if len(rest) > 1 else 3):
            clear()
            start(out, name, rest[0], cache)
    elif name == "refresh":
        refresh(out, rest[0])
    elif name == "settle":
        for _ in range(4):
            if "SUCCESS" not in refresh(out, rest[0]).get("saved", ""):
                break
    elif name == "audit":
        opened(out, rest[0], rest[1])
    elif name == "moved":
        elsewhere = pathlib.Path("/tmp/another_place/cache")
        shutil.rmtree(local, ignore_errors=True)
        for _ in range(int(rest[1]) if len(rest) > 1 else 1):
            elsewhere.mkdir(parents=True)
            start(out, "moved", rest[0], "compilecache", local_dir=elsewhere)
            shutil.rmtree(elsewhere)
    else:
        sys.exit(f"warm_start.py: no step {words!r}")


if __name__ == "__main__":
    out_dir = pathlib.Path(sys.argv[1])
    out_dir.mkdir(parents=True, exist_ok=True)
    budget_end = time.time() + float(os.environ.get("BUDGET_S", "3600"))
    for words in sys.argv[2:]:
        if time.time() > budget_end:
            print(f"no time left for {words}", flush=True)
            break
        began = time.time()
        step(out_dir, words)
        print(f"# {words} took {time.time() - began:.0f} s", flush=True)
