"""500 clips against a server of which every tenth request fails: python benchmarks/gemini.py

Counts, at the server, what a user would pay for: in a run that goes through, and in one that is killed in the middle and started again.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow/scripts"), str(ROOT / "demo")]

from gemini_server import GeminiServer, hashed  # noqa: E402

PASSING = ("rate_limit", "unavailable", "html", "closed", "slow", "empty", "short", "nan", "not_unit")
CONCURRENCY, TIMEOUT_S, PATIENCE_S = 8, 1.0, 60.0


def every_tenth() -> Callable[[int, str], str | None]:
    """A fault for every tenth request, each of the ways that may pass in turn."""
    numbers = count()
    return lambda before, digest: PASSING[n // 10 % len(PASSING)] if (n := next(numbers)) % 10 == 5 else None


def client(folder: Path, clips: int) -> None:
    """What a job does: embeds all clips, and keeps the replies in the folder."""
    import numpy as np

    from blemore.features.gemini import Service, embed_all
    from blemore.features.parts import Part

    requests = {str(n): (folder / f"{n}.json", {"clip": n}) for n in range(clips)}
    outcomes = embed_all(requests, lambda clip: [Part(clip.encode(), "video/mp4")], lambda: Service("gemini", "developer", TIMEOUT_S, PATIENCE_S), CONCURRENCY)
    assert all(np.allclose(outcome, hashed([clip.encode()]), atol=1e-6) for clip, outcome in outcomes.items())


def start(server: GeminiServer, folder: Path, clips: int) -> subprocess.Popen:
    command = [sys.executable, __file__, "--client", str(folder), "--clips", str(clips)]
    return subprocess.Popen(command, env=os.environ | server.environment)


def kept(folder: Path) -> int:
    return len(list(folder.glob("*.json")))


def through(clips: int) -> dict[str, float]:
    """One run without a kill."""
    with tempfile.TemporaryDirectory() as folder, GeminiServer(fault=every_tenth(), slow_s=2.0) as server:
        started = time.monotonic()
        assert start(server, Path(folder), clips).wait() == 0
        return counts(server, Path(folder), clips) | {"seconds": round(time.monotonic() - started, 1)}


def killed(clips: int) -> dict[str, float]:
    """A run that is killed when half of the replies are kept, and a second one."""
    with tempfile.TemporaryDirectory() as folder, GeminiServer(fault=every_tenth(), slow_s=2.0, delay_s=0.02) as server:
        first = start(server, Path(folder), clips)
        while kept(Path(folder)) < clips // 2:
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        first.wait()
        at_kill = kept(Path(folder))
        assert start(server, Path(folder), clips).wait() == 0
        return counts(server, Path(folder), clips) | {"kept_at_kill": at_kill}


def counts(server: GeminiServer, folder: Path, clips: int) -> dict[str, float]:
    answered = server.answered
    return {
        "clips": clips,
        "embeddings": kept(folder),
        "requests": server.asked.total(),
        "faults": server.asked.total() - answered.total(),
        "answered_twice": sum(times > 1 for times in answered.values()),
        "in_flight_at_most": CONCURRENCY,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--client", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        client(arguments.client, arguments.clips)
    else:
        for name, measure in (("through", through), ("killed", killed)):
            print(name, json.dumps(measure(arguments.clips)), flush=True)
