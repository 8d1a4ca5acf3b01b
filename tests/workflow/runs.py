"""Runs of the real Snakemake in a folder of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
LIMIT_S = 1800  # a run that takes longer hangs
TINY_HEAD = {"learning_rate": 0.005, "batch_size": 16, "epochs": 15, "patience": 5, "hidden": [16]}


class Job(NamedTuple):
    rule: str
    wildcards: str
    reason: str


class Run:
    """A working folder with a configuration laid over config.yaml, and over a preset if one is named."""

    launcher = (sys.executable, "-m", "snakemake")

    def __init__(self, folder: Path, config: dict, snakefile: Path = REPOSITORY / "Snakefile", preset: str | None = None):
        self.folder, self.snakefile = folder, snakefile
        self.overlays = [str(REPOSITORY / "presets" / f"{preset}.yaml")] if preset else []
        folder.mkdir(parents=True, exist_ok=True)
        self.configure(config)

    def configure(self, config: dict) -> None:
        self.config = config
        (self.folder / "overlay.yaml").write_text(yaml.safe_dump(config))

    def snakemake(self, *arguments: str, cores: int | None = 2, expect: int | None = 0, **environment: str) -> str:
        """Output of one call, both streams; an unexpected exit status fails with it. `expect=None` takes any, `cores=None` leaves them to the executor."""
        done = subprocess.run(
            self._command(arguments, cores),
            env=os.environ | {"COLUMNS": "200"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
        )
        assert expect is None or done.returncode == expect, done.stdout
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen:
        """A call that goes on by itself, leader of a process group of its own; what it says is added to said.log."""
        with open(self.folder / "said.log", "a") as said:
            return subprocess.Popen(self._command(arguments, 2), stdout=said, stderr=subprocess.STDOUT, start_new_session=True)

    def _command(self, arguments: tuple[str, ...], cores: int | None) -> list[str]:
        command = [*self.launcher, "--snakefile", str(self.snakefile), "--directory", str(self.folder)]
        command += [] if cores is None else ["--cores", str(cores)]
        return [*command, *arguments, "--configfile", *self.overlays, str(self.folder / "overlay.yaml")]

    def stale(self, *targets: str) -> list[Job]:
        """What a run would do, without doing it."""
        return planned(self.snakemake("--dry-run", *targets))

    def manifest(self, name: str) -> dict:
        return json.loads((self.folder / "results" / f"{name}.json").read_text())

    def digests(self) -> dict[str, str]:
        """Content digest of every store, by the path of its manifest."""
        manifests = sorted((self.folder / "results").rglob("*.json"))
        contents = {path: json.loads(path.read_text()) for path in manifests}
        return {str(path.relative_to(self.folder)): content["content_sha256"] for path, content in contents.items() if "content_sha256" in content}


def planned(output: str) -> list[Job]:
    """The jobs that a dry-run announces."""
    blocks = re.split(r"\n(?=(?:local)?rule \S+:\n)", output)
    return [Job(_field(r"rule (\S+):", block), _field(r"wildcards: (.*)", block), _field(r"reason: (.*)", block)) for block in blocks[1:]]


def _field(pattern: str, block: str) -> str:
    found = re.search(pattern, block)
    return found.group(1) if found else ""


def rules(jobs: list[Job]) -> set[str]:
    """Names of rules that compute something."""
    return {job.rule for job in jobs} - {"all", "features", "media"}
