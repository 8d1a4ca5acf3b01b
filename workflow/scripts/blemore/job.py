"""What every script does around its work. Standard library only, and nothing here can change a number."""

import fcntl
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class BadInput(ValueError):
    """Something the user gave is wrong; the message is one sentence: what, where, what to do."""


def run(main: Callable[[Any], None], snakemake: Any) -> None:
    """Runs `main` with everything it prints, and all that its libraries and child processes print, in the rule's log.

    The log is locked first: a `kill -9` of Snakemake leaves its jobs alive, and two writers of one store
    make a mixture that passes for whole.
    """
    terminal = os.dup(2)
    lock_log(snakemake.log[0], terminal)
    started = time.time()
    try:
        main(snakemake)
    except BadInput as error:
        print(f"{snakemake.rule}: {error}", file=sys.stderr, flush=True)
        os.write(terminal, f"{snakemake.rule}: {error}\n".encode())
        sys.exit(1)
    record_run(snakemake, started)


def lock_log(path: str, terminal: int) -> None:
    """Points descriptors 1 and 2 at the log, which stays locked while this process or a child of it lives."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.write(terminal, f"{path} is locked: a process of an earlier, killed run still does this job; wait for it or stop it, then run again.\n".encode())
        sys.exit(1)
    os.ftruncate(log, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)


def record_run(snakemake: Any, started: float) -> None:
    """Writes when, where and how long beside the store; kept out of it, so that equal content is equal bytes."""
    manifest = getattr(snakemake.output, "manifest", None)
    if manifest is None:
        return
    record = {
        "rule": snakemake.rule,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 3),
        "host": platform.node(),
        "python": platform.python_version(),
        "commit": _commit(),
    }
    Path(manifest).with_suffix(".run.json").write_text(json.dumps(record, indent=1) + "\n")


def _commit() -> str | None:
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, cwd=Path(__file__).parent, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
