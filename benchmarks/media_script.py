"""One script of the media stage on some videos, in a process that imports what the script does and no more; prints JSON.

python benchmarks/media_script.py SCRIPT RESULTS DEVICE VIDEO…
"""

import contextlib
import importlib
import io
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from blemore.media.video import Source
from blemore.stores import read_manifest

REPOSITORY = Path(__file__).resolve().parents[1]
STORES = {
    "track_faces": ("track", ".h5"),
    "crop_faces": ("faces", ".h5"),
    "sample_body_frames": ("body", ".h5"),
    "extract_audio": ("audio", ""),
    "cut_clips": ("clips", ""),
}


def run_script(name: str, results: Path, device: str, videos: Sequence[str]) -> dict[str, Any]:
    """One script on a shard of these videos, with the settings of config.yaml: seconds, pictures decoded, memory and statuses."""
    script, config = importlib.import_module(name), yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    kind, suffix = STORES[name]
    store, track = results / kind / f"A1{suffix}", results / "track" / "A1.h5"
    store.parent.mkdir()
    parts = dict.fromkeys(["decoding", "detection", "writing", "pictures"], 0.0)
    watch(script, parts)
    params = SimpleNamespace(cfg=config["media"][kind], code={}, clips={f"clip{index:02d}": 1 for index in range(len(videos))})
    params.runtime = {"device": device, "clips_at_once": config["runtime"]["clips_at_once"]}
    job = SimpleNamespace(input=SimpleNamespace(videos=list(videos), track=str(track)), output=SimpleNamespace(store=str(store)), params=params, threads=1)
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        script.main(job)
    seconds = time.perf_counter() - started
    # Not `ru_maxrss`, in which Linux starts a process with what its parent had.
    memory_mb = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024  # type: ignore[index]
    pictures = parts.pop("pictures")
    spent = {part: seconds for part, seconds in parts.items() if seconds}
    return {"seconds": seconds, "pictures": pictures, "parts": spent, "memory_mb": memory_mb, "statuses": read_manifest(store)["status_counts"]}


def watch(script: ModuleType, parts: dict[str, float]) -> None:
    """Adds the seconds of decoding, detection and writing to `parts`, wherever they are called from."""
    Source.__iter__ = timed_steps(Source.__iter__, parts)  # type: ignore[method-assign]
    if script.__name__ == "track_faces":
        faces_module = sys.modules["blemore.media.faces"]
        faces_module._answer = timed(faces_module._answer, "detection", parts)  # type: ignore[attr-defined]
    for name in ("encode_jpeg", "write_clip", "write_mp4", "finish_store", "finish_folder"):
        if hasattr(script, name):
            setattr(script, name, timed(getattr(script, name), "writing", parts))


def timed(work: Callable, part: str, parts: dict[str, float]) -> Callable:
    """The same, with its seconds added to a part."""

    def measured(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return work(*arguments, **named)
        finally:
            parts[part] += time.perf_counter() - started

    return measured


def timed_steps(iterate: Callable, parts: dict[str, float]) -> Callable:
    """The same iterator, with the seconds that each picture takes added to decoding."""

    def measured(source: Any) -> Iterator[Any]:
        pictures = iterate(source)
        step = timed(lambda: next(pictures, None), "decoding", parts)
        while (picture := step()) is not None:
            parts["pictures"] += 1
            yield picture

    return measured


if __name__ == "__main__":
    script_name, folder, run_on, *files = sys.argv[1:]
    print(json.dumps(run_script(script_name, Path(folder), run_on, files)))
