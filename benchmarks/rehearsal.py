"""The whole workflow at the size of BLEMORE, on data that is made here: python benchmarks/rehearsal.py [provided] [media]

provided  2,456 + 594 clips of 58 actors with the official counts, ten provided encoders in their real formats and widths, from import to submission
media     120 videos of six actors through the media stage and wav2vec2-large (random weights), carried on to 3,050 clips of 4 s
"""

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import yaml
from features import write_speech
from numpy.typing import NDArray
from resources import measured

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))

from design import Design
from generate import generate

from blemore.data.catalogue import COLUMNS
from blemore.data.labels import EMOTIONS
from blemore.fusion.protocols import OutOfFold
from blemore.fusion.simulator import Population, simulate, simulate_unseen

REPOSITORY = Path(__file__).resolve().parents[1]
TEST_ACTORS, TEST_CLIPS = 15, 594
CLIP_S = 4.0
# Encoder: folder, frames per second and width of a frame, as the data set's own documents state them; the widths of the last three are those of base models.
ENCODERS = {
    "hicmae": ("HiCMAE", 1.9, 2048),
    "wavlm": ("WavLM_large", 50, 1024),
    "hubert": ("HuBERT_large", 50, 1024),
    "imagebind": ("ImageBind", 25, 1024),
    "videomaev2": ("VideoMAEv2", 1.6, 1408),
    "openface3": ("OpenFace_3", 25, 11),
    "clip": ("CLIP", 25, 512),
    "dinov2": ("DINOv2", 25, 768),
    "dinov3": ("DINOv3", 25, 768),
    "videoswin": ("VideoSwin", 12.5, 768),
}
SIGNAL = 0.25  # of a clip's logits in its frames, against noise of 1 in each number
OPENFACE = ("action_units", "emotion_index", "gaze_yaw", "gaze_pitch")
STAGES = (("check", "check"), ("import and gather", "features"), ("heads", "classifiers"), ("fusion", "fusion"), ("report and submission", "all"))
MEDIA_ACTORS, MEDIA_CLIPS = 6, 20  # clips of each
ALL_CLIPS = 3050


def write_data(root: Path) -> None:
    """Sheets and provided features; a clip's frames carry what the simulated encoder says of it."""
    population = Population(strengths=tuple(np.linspace(0.6, 1.1, len(ENCODERS)).tolist()))
    train, unseen = simulate(population, 0), simulate_unseen(population, 0, TEST_ACTORS, -(-TEST_CLIPS // TEST_ACTORS))
    test = unseen.of(np.arange(len(unseen.truth)) < TEST_CLIPS)
    root.mkdir(parents=True)
    rows = {"train": list(train_rows(train)), "test": [{"filename": f"test_{number:04d}"} for number in range(1, TEST_CLIPS + 1)]}
    for split, clips in (("train", train), ("test", test)):
        with open(root / f"{split}_metadata.csv", "w", newline="") as sheet:
            writer = csv.DictWriter(sheet, COLUMNS if split == "train" else ["filename"])
            writer.writeheader()
            writer.writerows(rows[split])
        names = [str(row["filename"]) for row in rows[split]]
        for member, (encoder, (folder, fps, width)) in enumerate(ENCODERS.items()):
            target = root / f"pre_extracted_{split}_data" / f"{folder}_{split}"
            target.mkdir(parents=True)
            write_features(encoder, target, names, np.log(clips.probabilities[member]), max(1, round(fps * CLIP_S)), width)


def train_rows(clips: OutOfFold) -> Iterator[dict[str, object]]:
    """Rows of the official sheet."""
    for number, (percent, actor, fold) in enumerate(zip(clips.truth, clips.actor, clips.fold)):
        name, shown = f"A{101 + int(actor[1:])}", np.flatnonzero(percent)
        first, second = EMOTIONS[shown[0]], EMOTIONS[shown[1]] if len(shown) > 1 else ""
        salience = percent[shown] if second else ("", "")
        label = f"mix_{first}_{second}_{salience[0]}_{salience[1]}" if second else f"{first}_int1"
        gender = "fm"[int(actor[1:]) % 2]
        yield dict(zip(COLUMNS, (f"{name}_{label}_ver{number}", name, gender, int(bool(second)), first, number, "", "", second, *salience, fold)))


def write_features(encoder: str, folder: Path, clips: Sequence[str], logits: NDArray[np.float64], frames: int, width: int) -> None:
    """A file for each clip; OpenFace's are CSV, a list in their first column."""
    rng = np.random.default_rng([0, width, len(clips)])
    directions = rng.standard_normal((len(EMOTIONS), width))
    for clip, logit in zip(clips, logits):
        values = rng.standard_normal((frames, width), np.float32) + np.float32(SIGNAL * (logit - logit.mean()) @ directions)
        if encoder == "openface3":
            with open(folder / f"{clip}.csv", "w", newline="") as file:
                csv.writer(file).writerows([OPENFACE, *([json.dumps(row[:8].tolist()), *row[8:].tolist()] for row in values)])
        else:
            np.save(folder / f"{clip}.npy", values[:, np.newaxis] if encoder == "videomaev2" else values)


def snakemake(folder: Path, *arguments: str) -> tuple[float, int]:
    """Seconds and jobs of one call on 2 cores."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(folder), "--cores", "2"]
    started = time.perf_counter()
    done = subprocess.run([*command, *arguments, "--configfile", str(folder / "run.yaml")], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-5000:] + done.stderr[-5000:])
    jobs = re.findall(r"^total\s+(\d+)$", done.stdout + done.stderr, re.MULTILINE)
    return time.perf_counter() - started, int(jobs[0]) if jobs else 0


def provided(folder: Path, epochs: int) -> None:
    """From files to submission, stage by stage."""
    started = time.perf_counter()
    write_data(folder / "data")
    print(f"data made in {time.perf_counter() - started:.0f} s: {size_of(folder / 'data')}", flush=True)
    heads = {"mlp_1024": {"epochs": epochs, "patience": None}}  # no early stop, so that the work does not depend on what was planted
    config = {"encoders": list(ENCODERS), "data": {"root": str(folder / "data")}, "classify": {"heads": heads}, "fusion": {"ensembles": {"all": "all"}}}
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    for title, target in STAGES:
        seconds, jobs = snakemake(folder, target)
        print(f"{title}: {seconds:.0f} s, {jobs} jobs, {60 * jobs / seconds:.0f} a minute", flush=True)
    show(folder)
    scores = json.loads((folder / "results/fusion/all/scores.json").read_text())
    print({name: round(block["mean"]["Score"], 3) for name, block in scores["protocols"].items()})


def media(folder: Path) -> None:
    """Seconds of one core for a clip and rule, and hours of all of the data set on 2 and on 16 cores."""
    generate(
        Design(actors=MEDIA_ACTORS, test_actors=0, folds=3, clips_per_actor=MEDIA_CLIPS, duration_s=(CLIP_S, CLIP_S), width=640, height=480), folder / "data"
    )
    (folder / "weights").mkdir()
    write_speech("wav2vec2", folder / "weights")
    features = {"wav2vec2": {"model": str(folder / "weights")}}
    config = {
        "encoders": ["wav2vec2"],
        "data": {"root": str(folder / "data"), "test_videos": []},
        "features": features,
        "fusion": {"ensembles": {"all": "all"}},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    seconds, jobs = snakemake(folder, "media", "wav2vec2")
    print(f"{MEDIA_ACTORS * MEDIA_CLIPS} clips of {CLIP_S:.0f} s at 640x480: {seconds:.0f} s, {jobs} jobs", flush=True)
    show(folder)
    clips, core_hours = MEDIA_ACTORS * MEDIA_CLIPS, 0.0
    for rule, rows in measured(folder).items():
        seconds = sum(spent for _, spent in rows)
        core_hours += seconds / clips * ALL_CLIPS / 3600
        print(f"  {rule}: {seconds / clips:.2f} s a clip")
    print(f"{ALL_CLIPS} clips: {core_hours:.1f} hours of one core, {core_hours / 2:.1f} on 2, {core_hours / 16:.2f} on 16")


def show(folder: Path) -> None:
    """What the finished run left, and each rule's peak memory and longest job."""
    print(f"results: {size_of(folder / 'results')}")
    print(f"{'rule':24s} {'jobs':>5s} {'MB':>7s} {'s, longest':>11s} {'s, all':>8s}")
    for rule, jobs in sorted(measured(folder).items()):
        memory_mb, seconds = zip(*jobs)
        print(f"{rule:24s} {len(jobs):5d} {max(memory_mb):7.0f} {max(seconds):11.1f} {sum(seconds):8.0f}", flush=True)


def size_of(folder: Path) -> str:
    """Files and gigabytes below a folder."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{len(sizes):,} files, {sum(sizes) / 1e9:.2f} GB"


def main() -> None:
    """Runs the parts that are named, each in a folder that is deleted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["provided", "media", []], help="default: both")
    parser.add_argument("--epochs", type=int, default=20, help="of each head; the default configuration's are at most 500")
    arguments = parser.parse_args()
    for part in arguments.parts or ("provided", "media"):
        print(f"{part}:")
        with tempfile.TemporaryDirectory() as folder:
            provided(Path(folder), arguments.epochs) if part == "provided" else media(Path(folder))


if __name__ == "__main__":
    main()
