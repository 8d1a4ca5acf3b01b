"""Whether a store is what today's configuration would make: Snakemake is asked in a process of its own, beside the reading of the store."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blemore.inspection.explanation import explain
from blemore.inspection.job import Job
from blemore.settings import SCRIPTS


class Comparison:
    """Starts when made; `answer` waits for it.

    Args:
        path: of the store.
        configfiles: as for snakemake.
    """

    def __init__(self, path: Path, configfiles: Sequence[str]):
        self.folder, self.target = _folder(path)
        self.configured = bool(configfiles)
        self.process = self._start([str(Path(file).resolve()) for file in configfiles]) if self.folder else None

    def _start(self, configfiles: list[str]) -> subprocess.Popen[str]:
        command = [sys.executable, str(SCRIPTS / "why_stale.py"), self.target, "--json", "--directory", str(self.folder)]
        command += ["--configfile", *configfiles] if configfiles else []
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def answer(self) -> dict[str, Any]:
        """`current`: True, False, or None where it cannot be told; `why`: a sentence or the causes, line by line."""
        if self.process is None:
            return {"current": None, "why": ["it lies in no folder `results`, so no configuration is its own"]}
        said, problems = self.process.communicate()
        if self.process.returncode:
            ways = [] if self.configured else ["name the configuration of its run with --configfile, or leave this out with --no-compare"]
            return {"current": None, "why": problems.strip().splitlines() + ways}
        return verdict([Job(**job) for job in json.loads(said)], self.target)


def verdict(jobs: Sequence[Job], target: str) -> dict[str, Any]:
    """What the jobs that a store needs say of it."""
    own = next((job for job in jobs if target in job.output), None)
    if own is None:
        return {"current": None, "why": ["no rule of today's workflow makes it"]}
    if any(job.runs for job in jobs):
        return {"current": False, "why": explain(jobs).splitlines()}
    return {"current": True, "why": [] if own.recorded else ["Snakemake has no record of it; its settings are today's, or runtime.accept_foreign is set"]}


def _folder(path: Path) -> tuple[Path | None, str]:
    """The working folder of the run that a store belongs to, and its path in it."""
    results = next((parent for parent in path.resolve().parents if parent.name == "results"), None)
    return (results.parent, str(path.resolve().relative_to(results.parent))) if results else (None, "")
