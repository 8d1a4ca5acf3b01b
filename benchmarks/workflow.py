"""What Snakemake needs to find out what to do, at the size of BLEMORE and far beyond, with empty files as videos: python benchmarks/workflow.py

With `part` it measures a twentieth of a million clips instead, as docs/scale.md cuts them up; that needs 1.2 million free inodes where temporary files are.
"""

import csv
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "workflow" / "scripts"))

from blemore.data.catalogue import COLUMNS  # noqa: E402

FOLDS = 5
WAV2VEC2, PROSODY, PROVIDED = 4, 2, 6  # encoders of each kind; with those that are fine-tuned, 16 in all
FINE_TUNED = ("s4d", "videomae", "timesformer", "wav2vec2_finetuned")


def write_data(root: Path, train_clips: int, actors: int, test_clips: int, provided: int = PROVIDED) -> None:
    """Sheets and empty files: train clips of named actors, test clips without an actor, a `.npy` for each clip and provided encoder."""
    (root / "weights").mkdir(parents=True)
    for name in ("config.json", "preprocessor_config.json", "model.safetensors", "s4d.pt"):
        (root / "weights" / name).write_text('{"num_hidden_layers": 24}')
    train = [_row(f"clip_{index:06d}", f"A{index % actors:05d}", str(index % actors % FOLDS)) for index in range(train_clips)]
    test = [_row(f"test_{index:06d}") for index in range(test_clips)]
    for split, rows in (("train", train), ("test", test)):
        with open(root / f"{split}.csv", "w", newline="") as sheet:
            csv.writer(sheet).writerows([COLUMNS, *rows])
        _write_empty(root / f"{split}_videos", rows, ".mov")
        for encoder in range(provided):
            _write_empty(root / f"provided_{encoder}_{split}", rows, ".npy")


def _row(clip: str, actor: str = "", fold: str = "") -> list[str]:
    label = ["0", "ang"] if actor else ["", ""]
    return [clip, actor, "", *label, "", "", "", "", "", "", fold]


def _write_empty(folder: Path, rows: list[list[str]], extension: str) -> None:
    folder.mkdir()
    for row in rows:
        (folder / f"{row[0]}{extension}").touch()


def configuration(root: Path) -> dict:
    """16 encoders: extracted ones over all shards, fine-tuned and provided ones."""
    weights = {"model": str(root / "weights")}
    hearing = {"kind": "wav2vec2", **weights, "revision": "main", "segments": 1, "precision": "float32"}
    wav2vec2 = {f"wav2vec2_{index}": {**hearing, "layers": [6 + index, 12 + index]} for index in range(WAV2VEC2)}
    fine_tuned = {name: {**weights, "file": "s4d.pt"} if name == "s4d" else weights for name in FINE_TUNED}
    prosody = {
        f"prosody_{index}": {"kind": "prosody", "f0_min_hz": 65.0, "f0_max_hz": 1000.0, "hop_s": 0.01, "segments": 1 + index} for index in range(PROSODY)
    }
    unknown = {"kind": "provided", "width": None, "columns": None}
    provided = {f"provided_{index}": {**unknown, "train": f"provided_{index}_train", "test": f"provided_{index}_test"} for index in range(PROVIDED)}
    features = wav2vec2 | prosody | fine_tuned | provided
    sheets = {"train_sheet": "train.csv", "train_videos": ["train_videos"], "test_sheet": "test.csv", "test_videos": ["test_videos"]}
    return {"encoders": list(features), "data": {"root": str(root), **sheets}, "features": features, "fusion": {"ensembles": {"all": "all"}}}


def snakemake(folder: Path, *arguments: str, targets: tuple[str, ...] = ("all", "media")) -> tuple[float, str]:
    """Seconds and output of one call on 2 cores."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(folder), "--cores", "2"]
    started = time.perf_counter()
    done = subprocess.run([*command, *arguments, "--configfile", str(folder / "run.yaml"), "--", *targets], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
    return time.perf_counter() - started, done.stdout + done.stderr


def pretend_finished(folder: Path, plan: str, recorded: bool) -> None:
    """Makes every output of the plan as an empty file or folder; `recorded`: has Snakemake note what made it, 25 ms a job."""
    for output in _outputs(plan):
        path = folder / output
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in ("", ".zarr"):
            path.mkdir(exist_ok=True)
        else:
            path.write_text('{"clips": []}')
    settings = (folder / "run.yaml").read_text()
    (folder / "run.yaml").write_text(settings + "runtime: {accept_foreign: true}\n")
    if recorded:
        snakemake(folder, "--touch", "--forceall", "--quiet", "all")
        (folder / "run.yaml").write_text(settings)


def _outputs(plan: str) -> Iterator[str]:
    for line in re.findall(r"^    output: (.+)$", plan, re.MULTILINE):
        yield from line.replace(" (update)", "").split(", ")


def measure(title: str, train_clips: int, actors: int, test_clips: int, recorded: bool) -> None:
    """Prints the time of the dry-run of everything, and of the run that finds nothing to do."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, root = Path(temporary, "run"), Path(temporary, "data")
        folder.mkdir()
        write_data(root, train_clips, actors, test_clips)
        (folder / "run.yaml").write_text(yaml.safe_dump(configuration(root)))
        dry_s, plan = snakemake(folder, "--dry-run")
        jobs = _total(plan)
        pretend_finished(folder, plan, recorded)
        idle_s, said = snakemake(folder)
        assert "Nothing to be done" in said, said[-3000:]
    print(f"{title}: {jobs} jobs; dry-run {_rate(dry_s, jobs)}; run with nothing to do {_rate(idle_s, jobs)}; at most {_memory_gb():.1f} GB")


def _total(plan: str) -> int:
    """Jobs that a dry-run counts."""
    return int(re.findall(r"^total\s+(\d+)$", plan, re.MULTILINE)[-1])


def _rate(seconds: float, jobs: int) -> str:
    return f"{seconds:.1f} s ({1000 * seconds / jobs:.2f} ms a job)"


def _memory_gb() -> float:
    """Of the largest call so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2


def measure_part(clips: int, actors: int, part: int) -> None:
    """Prints the time of the dry-run of media and features of the first actors alone, out of a large data set without provided features."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, root = Path(temporary, "run"), Path(temporary, "data")
        folder.mkdir()
        write_data(root, clips, actors, 0, provided=0)
        config = configuration(root)
        config["encoders"] = [name for name in config["encoders"] if name.startswith(("wav2vec2_0", "prosody_0"))]
        config["data"]["only_actors"] = [f"A{index:05d}" for index in range(part)]
        (folder / "run.yaml").write_text(yaml.safe_dump(config))
        seconds, plan = snakemake(folder, "--dry-run", targets=("features", "media"))
    jobs = _total(plan)
    print(f"{part:,} of {actors:,} actors, {clips * part // actors:,} of {clips:,} clips: {jobs:,} jobs; dry-run {_rate(seconds, jobs)}, {_memory_gb():.1f} GB")


def main() -> None:
    """Measures both sizes; the large one as a copy of finished results, of which Snakemake has no record."""
    if sys.argv[1:] == ["part"]:
        measure_part(1_000_000, 20_000, 1_000)
        return
    measure("3,050 clips, 58 actors, 16 encoders", 2456, 43, 594, recorded=True)
    measure("100,000 clips, 2,000 actors, 16 encoders", 100_000, 2000, 0, recorded=False)


if __name__ == "__main__":
    main()
