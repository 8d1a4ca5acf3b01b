"""Runs one job of each rule in this process, and prints the settings that its script did not look at: python reads.py OVERLAY, in a finished run."""

import importlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

REPOSITORY = Path(__file__).resolve().parents[2]
# What is no setting: code, what its clips and files are, and what the report prints of the run.
IDENTITIES = {"code", "assets", "clips", "actors", "files", "videos", "members", "encoders", "configuration"}

PARTS = ("input", "output", "wildcards", "threads", "log")  # of a job, besides its params


class Watched(dict):
    """A block of settings that knows which of them were looked at; `**` looks at all."""

    def __init__(self, settings: dict):
        super().__init__(settings)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def keys(self) -> Any:
        self.read.update(super().keys())
        return super().keys()

    @property
    def left(self) -> set[str]:
        return set(dict.keys(self)) - self.read

    items = values = get = __iter__ = None  # no script needs them, and the watch would miss them


def one_job_of_each_rule(overlay: Path) -> Iterator[Any]:
    """Jobs with input, output, params and wildcards as Snakemake makes them, in an order in which they can run."""
    with SnakemakeApi(OutputSettings(dryrun=True)) as api:
        parsed = api.workflow(ResourceSettings(cores=1), ConfigSettings(configfiles=[overlay]), snakefile=REPOSITORY / "Snakefile", workdir=Path.cwd())
        workflow = parsed.dag(DAGSettings(targets={"all", "media"}, forceall=True)).workflow_api._workflow
        workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True, nolock=True)
        workflow._build_dag()
        jobs = {job.rule.name: job for level in workflow.dag.toposorted() for job in level if job.rule.script}
        yield from jobs.values()


def unread(job: Any) -> list[str]:
    """`param.setting` of all that the script of the job was given and left."""
    script = importlib.import_module(Path(job.rule.script).stem)
    params = {name: Watched(value) if isinstance(value, dict) and name not in IDENTITIES else value for name, value in job.params.items()}
    # What a store records of its settings is no use of them; the scripts of fine-tuning leave it to the function they share.
    recorder: Any = importlib.import_module(script.fine_tune.__module__) if hasattr(script, "fine_tune") else script
    if hasattr(recorder, "provenance"):
        recorder.provenance = _recording_plain(recorder.provenance, job.params)
    for output in job.output:
        shutil.rmtree(output) if Path(output).is_dir() else Path(output).unlink()
    script.main(SimpleNamespace(**{part: getattr(job, part) for part in PARTS}, params=SimpleNamespace(**params)))
    return [f"{name}.{setting}" for name, block in params.items() if isinstance(block, Watched) for setting in sorted(block.left)]


def _recording_plain(provenance: Any, params: Any) -> Any:
    def plain(_: Any, *arguments: Any, **more: Any) -> Any:
        return provenance(params, *arguments, **{name: getattr(params, name, value) for name, value in more.items()})

    return plain


def main() -> None:
    """Prints JSON: rule -> settings left unread."""
    sys.path.insert(0, str(REPOSITORY / "workflow" / "scripts"))
    jobs = list(one_job_of_each_rule(Path(sys.argv[1]).resolve()))
    found = {job.rule.name: unread(job) for job in jobs}
    os.write(1, json.dumps(found).encode())


if __name__ == "__main__":
    main()
