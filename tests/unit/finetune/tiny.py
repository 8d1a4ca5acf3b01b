"""A few clips as the media stage leaves them, a tiny checkpoint of each kind, and one job of fine-tuning on them."""

import copy
import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile
import yaml
from checkpoints import S4D_SIZES, write_tiny

from blemore.data.emotions import EMOTIONS
from blemore.features.weights import describe
from blemore.media.frames import encode_jpeg
from blemore.media.shard import finish_folder, finish_store, new_folder, new_store, write_clip
from blemore.settings import SCRIPTS

CONFIG = yaml.safe_load((SCRIPTS.parents[1] / "config.yaml").read_text())
HEADER = "filename,video_id,gender,mix,emotion_1,version,intensity_level,situation,emotion_2,emotion_1_salience,emotion_2_salience,fold,split,shard,video"
KINDS = {"s4d": "finetune_s4d", "videomae": "finetune_videomae", "timesformer": "finetune_timesformer", "wav2vec2_finetuned": "finetune_wav2vec2"}
MEDIUM = {"s4d": "faces", "videomae": "body", "timesformer": "body", "wav2vec2_finetuned": "audio"}
RATE_HZ = 16000
SIDE = 40  # pixels of the stored frames
CHANGES = {
    "s4d": {"sizes": S4D_SIZES, "n_frames": 8, "stride": 2, "file": "s4d_tiny.pt", "views": {"segments": 1, "crops": 1, "spatial": "shifted"}},
    "videomae": {},
    "timesformer": {},
    "wav2vec2_finetuned": {"crop_s": 0.5},
}


def settings(kind, folder, training=None, **changes):
    """Settings of an encoder of a kind: the default ones, with the checkpoint in `folder` and what differs."""
    encoder = copy.deepcopy(CONFIG["features"][kind]) | {"model": str(folder)} | CHANGES[kind] | changes
    encoder["training"] |= {"epochs": 2, "batch_size": 4, "patience": None, "clip_grad": None} | (training or {})
    return encoder


class Clips:
    """Clips whose look and sound follow their label, in the stores of the media stage: clip -> frames or samples."""

    def __init__(self, folder: Path, labels, actors=4, frames=30, broken=(), test=0):
        self.folder, self.names = folder, [f"A{index % actors}_{index:02d}" for index in range(len(labels))] + [f"test_{index}" for index in range(test)]
        rng = np.random.default_rng(1)
        self.pictures, self.sounds, self.broken = {}, {}, broken
        for name, emotion in zip(self.names, [*labels, *["neu"] * test]):
            self.pictures[name], self.sounds[name] = draw(EMOTIONS.index(emotion), frames, rng)
        lines = [
            f"{name},A{index % actors},,0,{emotion},1,,,,,,{index % actors},train,A{index % actors},{name}.mov"
            for index, (name, emotion) in enumerate(zip(self.names, labels))
        ]
        lines += [f"test_{index},,,,,,,,,,,,test,bucket_00,test_{index}.mov" for index in range(test)]
        self.sheet = folder / "sheet.csv"
        self.sheet.write_text("\n".join([HEADER, *lines]) + "\n")
        self.stores = {"faces": self._frames("faces"), "body": self._frames("body"), "audio": self._audio()}

    def _frames(self, medium):
        path = self.folder / medium / "all.h5"
        path.parent.mkdir()
        with new_store(path) as store:
            for name in self.names:
                if name not in self.broken:
                    write_clip(store, name, jpeg=[encode_jpeg(frame, 95) for frame in self.pictures[name]])
            finish_store(store, {name: 4 if name in self.broken else 0 for name in self.names}, {})
        return [str(path)]

    def _audio(self):
        folder = new_folder(self.folder / "audio" / "all")
        good = [name for name in self.names if name not in self.broken]
        for name in good:
            soundfile.write(folder / f"{name}.flac", self.sounds[name], RATE_HZ, subtype="PCM_24")
        durations = {name: len(self.sounds[name]) / RATE_HZ for name in good}
        finish_folder(folder, ".flac", {name: 4 if name in self.broken else 0 for name in self.names}, {}, duration_s=durations)
        return [str(folder)]


def draw(number, frames, rng):
    """A colour and a tone of its own for each emotion, both with some noise."""
    colour = [200 * (number >> bit & 1) for bit in range(3)]
    pictures = (rng.integers(0, 40, (frames, SIDE, SIDE, 3)) + colour).astype(np.uint8)
    time_s = np.arange(round(0.03 * frames * RATE_HZ)) / RATE_HZ
    sound = 0.3 * np.sin(2 * np.pi * 200 * 1.5**number * time_s) + rng.normal(0, 0.01, len(time_s))
    return pictures, sound.astype(np.float32)


class Job:
    """One job of the rule of a kind, run by its script in a folder."""

    def __init__(self, folder: Path, kind: str, clips: Clips, encoder, model="fold0", early_stopping="inner", histories=(), workers=0):
        self.kind, self.folder = kind, folder
        weights = folder / "weights.json"
        folder.mkdir(parents=True, exist_ok=True)
        weights.write_text(json.dumps(describe(Path(encoder["model"]), encoder.get("file"))))
        self.output = SimpleNamespace(
            **{name: str(folder / path) for name, path in (("store", f"{model}.zarr"), ("weights", "saved"), ("history", "history.json"))}
        )
        self.snakemake = SimpleNamespace(
            input=SimpleNamespace(stores=clips.stores[MEDIUM[kind]], weights=str(weights), sheet=str(clips.sheet), histories=list(histories)),
            output=self.output,
            log=[str(folder / "job.log")],
            wildcards=SimpleNamespace(encoder="mine", model=model),
            params=SimpleNamespace(
                cfg={"early_stopping": early_stopping},
                code={},
                recipe={"mine": encoder},
                runtime={"device": "cpu", "loader_workers": workers, "resume": str(folder / "resume"), "weights": "weights"},
            ),
        )

    def run(self):
        importlib.import_module(KINDS[self.kind]).main(self.snakemake)
        return self.output


def checkpoint(folder: Path, kind: str) -> Path:
    write_tiny(kind, folder, 1)
    return folder
