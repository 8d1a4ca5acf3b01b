"""A finished run on simulated probabilities, and its report by the real scripts: nothing of it comes from a video."""

import csv
import json
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import soundfile
import yaml

import fuse
import report
from blemore.data.labels import EMOTIONS
from blemore.fusion.simulator import Population, simulate
from blemore.media.frames import encode_jpeg
from blemore.media.shard import finish_store, new_store, write_clip
from blemore.stores import OK, Probabilities, write_manifest, write_probabilities

REPOSITORY = Path(__file__).resolve().parents[3]
RATE_HZ = 16000
EPOCHS = 40
CFG = {
    "resamples": {"count": 100, "seed": 1},
    "thresholds": {"choice": "first", "strategy": "pooled"},
    "weights": {"picks": 5, "bags": 2, "seed": 1},
    "average": "probabilities",
    "calibration": "none",
}
COLUMNS = ("filename", "video_id", "gender", "mix", "emotion_1", "intensity_level", "emotion_2", "emotion_1_salience", "emotion_2_salience")


class SimulatedRun:
    """A folder that a report can be made in.

    Args:
        encoders: how many.
        every: only each so many of the 2,456 clips.
        ensembles: name -> numbers of encoders, beside each encoder alone.
        names: clip number -> another id.
        pictured: how many clips have sound and faces.
        method: of the search for weights; `uniform` needs nothing compiled.
    """

    def __init__(
        self,
        folder: Path,
        encoders: int,
        every: int,
        ensembles: Mapping[str, list[int]],
        names: Mapping[int, str] | None = None,
        pictured: int = 0,
        method: str = "uniform",
    ) -> None:
        self.folder, self.cfg = folder, CFG | {"weights": CFG["weights"] | {"method": method}}
        data = simulate(Population(strengths=tuple(np.linspace(0.6, 1.1, encoders).tolist())), 0)
        self.data = data.of(np.arange(len(data.truth)) % every == 0)
        self.encoders = [f"encoder_{number:02}" for number in range(encoders)]
        self.ensembles = {name: [number] for number, name in enumerate(self.encoders)} | dict(ensembles)
        self.clips = [f"{actor}_clip_{number:04}" for number, actor in enumerate(self.data.actor)]
        for number, name in (names or {}).items():
            self.clips[number] = name
        self.pictured = [clip for number, clip in enumerate(self.clips) if number not in (names or {})][:pictured]
        folder.mkdir(parents=True, exist_ok=True)
        with chdir(folder):
            self._write_inputs()
            for name in self.ensembles:
                self._fuse(name)

    def _write_inputs(self) -> None:
        self._write_sheet()
        rng = np.random.default_rng(0)
        for number, encoder in enumerate(self.encoders):
            self._write_encoder(rng, number, encoder)
        if self.pictured:
            self._write_sound(rng)
            self._write_faces(rng)
        for rule, seconds in {"track_faces/A0": 71.2, "track_faces/A1": 68.4, "fuse/all": 9.7}.items():
            path = Path(f"results/benchmarks/{rule}.tsv")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"s\th:m:s\tmax_rss\tio_in\tcpu_time\n{seconds}\t0:01:11\t800.5\t-\t{seconds * 0.9:.2f}\n")

    def _write_sheet(self) -> None:
        Path("results/data").mkdir(parents=True)
        with open("results/data/sheet.csv", "w", newline="") as file:
            table = csv.DictWriter(file, [*COLUMNS, "fold", "split", "shard", "video"], restval="")
            table.writeheader()
            for clip, actor, fold, truth in zip(self.clips, self.data.actor, self.data.fold, self.data.truth.tolist()):
                label = {emotion: percent for emotion, percent in zip(EMOTIONS, truth) if percent}
                row = {"filename": clip, "video_id": actor, "mix": int(len(label) > 1), "gender": "fm"[int(actor[1:]) % 2], "split": "train", "shard": actor}
                for place, (emotion, percent) in enumerate(label.items(), start=1):
                    row |= {f"emotion_{place}": emotion} | ({f"emotion_{place}_salience": percent} if len(label) > 1 else {})
                table.writerow(row | {"fold": fold, "video": f"{clip}.mov"})

    def _write_encoder(self, rng: np.random.Generator, number: int, encoder: str) -> None:
        probability = self.data.probabilities[number].astype(np.float32)
        if number == 0:
            probability[3] = np.nan
        for fold in np.unique(self.data.fold).tolist():
            rows = np.flatnonzero(self.data.fold == fold)
            store = Path(f"results/probabilities/{encoder}/mlp_1024/fold{fold}.zarr")
            store.parent.mkdir(parents=True, exist_ok=True)
            write_probabilities(
                store, Probabilities(probability[rows], [self.clips[row] for row in rows], ["scored"] * len(rows), np.log(probability[rows])), EMOTIONS, {}
            )
            self._write_history(rng, Path(f"results/heads/{encoder}/mlp_1024/fold{fold}.json"))
        Path("results/features").mkdir(exist_ok=True)
        write_manifest(f"results/features/{encoder}.zarr", "0" * 64, self.clips, [OK] * len(self.clips))
        record = {"rule": "gather_features", "started": "2026-01-01T00:00:00Z", "seconds": 1.0, "host": "h", "python": "3.11", "commit": "0123456789ab"}
        Path(f"results/features/{encoder}.run.json").write_text(json.dumps(record))

    def _write_history(self, rng: np.random.Generator, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fall = np.exp(-np.arange(EPOCHS) / 12)
        curves = {"train_loss": 1 + fall, "stop_loss": 1.3 + 0.6 * fall, "stop_score": 0.3 - 0.2 * fall}
        seed = {name: (values + rng.normal(0, 0.01, EPOCHS)).tolist() for name, values in curves.items()} | {"best_epoch": 30}
        alike = {name: seed[name] for name in ("stop_score", "best_epoch")}
        path.write_text(json.dumps({"seeds": {"1": seed, "2": alike}, "stop_score_spread": 0.0}))

    def _write_sound(self, rng: np.random.Generator) -> None:
        folder = Path("results/media/audio/A0")
        folder.mkdir(parents=True)
        time_s = np.arange(RATE_HZ) / RATE_HZ
        for clip in self.pictured:
            voice = np.sin(2 * np.pi * (220 * time_s + 40 * np.sin(5 * time_s))) * np.hanning(RATE_HZ) * 0.6
            soundfile.write(folder / f"{clip}.flac", voice + rng.normal(0, 0.01, RATE_HZ), RATE_HZ, subtype="PCM_24")
        write_manifest(
            folder, "0" * 64, self.pictured, [OK] * len(self.pictured), status=dict.fromkeys(self.pictured, "ok"), duration_s=dict.fromkeys(self.pictured, 1.0)
        )

    def _write_faces(self, rng: np.random.Generator) -> None:
        Path("results/media/faces").mkdir(parents=True)
        with new_store("results/media/faces/A0.h5") as store:
            for clip in self.pictured:
                write_clip(store, clip, jpeg=[encode_jpeg(drawn_face(rng), 95) for _ in range(9)])
            finish_store(store, dict.fromkeys(self.pictured, OK), {}, size=160)

    def _members(self, name: str) -> list[list[str]]:
        return [[self.encoders[number], "mlp_1024"] for number in self.ensembles[name]]

    def _stores(self, members: list[list[str]]) -> list[str]:
        folds = np.unique(self.data.fold).tolist()
        return [f"results/probabilities/{encoder}/{head}/fold{fold}.zarr" for encoder, head in members for fold in folds]

    def _fuse(self, name: str) -> None:
        folder = Path("results/fusion") / name
        folder.mkdir(parents=True)
        members = self._members(name)
        job = SimpleNamespace(
            input=SimpleNamespace(sheet="results/data/sheet.csv", stores=self._stores(members), retrained=[], features=[]),
            output=SimpleNamespace(**{name: str(folder / file) for name, file in FUSED.items()}),
            params=SimpleNamespace(cfg=self.cfg, classify={"early_stopping": "inner", "test_prediction": "mean"}, code={}, members=members),
            wildcards=SimpleNamespace(ensemble=name),
        )
        # Their fits are most of the time, for one table of the page.
        with patch.object(fuse, "evaluate_decoders", return_value=[]):
            fuse.main(job)

    def report(self, **changes: Any) -> Path:
        """The page, made by the rule's script; `changes` of its settings."""
        cfg = {"embed_faces": False, "embed_sound": True} | changes
        Path(self.folder, "results/report").mkdir(exist_ok=True)
        output = {"page": "index.html", "scores": "scores.csv", "text": "scores.txt"}
        with chdir(self.folder):
            report.main(
                SimpleNamespace(
                    input=SimpleNamespace(
                        scores=[f"results/fusion/{name}/scores.json" for name in self.ensembles],
                        decisions=[f"results/fusion/{name}/decisions.csv" for name in self.ensembles],
                        encoders=[f"results/features/{encoder}.json" for encoder in self.encoders],
                        stores=self._stores([[encoder, "mlp_1024"] for encoder in self.encoders]),
                        sound=["results/media/audio/A0"] if self.pictured and cfg["embed_sound"] else [],
                        faces=["results/media/faces/A0.h5"] if self.pictured and cfg["embed_faces"] else [],
                    ),
                    output=SimpleNamespace(**{name: f"results/report/{file}" for name, file in output.items()}),
                    params=SimpleNamespace(cfg=cfg, encoders={"asked": self.encoders, "used": self.encoders}, configuration=self._configuration()),
                )
            )
        return self.folder / "results/report/index.html"

    def _configuration(self) -> dict[str, Any]:
        config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
        return config | {"features": dict.fromkeys(self.encoders, config["features"]["prosody"])}


FUSED = {"decisions": "decisions.csv", "test_decisions": "test_decisions.csv", "scores": "scores.json"}


def drawn_face(rng: np.random.Generator) -> np.ndarray:
    """Something to look at; nobody."""
    face = np.full((160, 160, 3), 90, np.uint8)
    cv2.ellipse(face, (80, 85), (48, 62), 0, 0, 360, (224, 190, 165), -1)
    for x in (62, 98):
        cv2.circle(face, (x + int(rng.integers(-2, 3)), 70), 6, (40, 40, 40), -1)
    cv2.ellipse(face, (80, 112), (20, int(rng.integers(2, 12))), 0, 0, 180, (150, 40, 40), 3)
    return face
