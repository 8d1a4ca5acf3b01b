"""A small folder of results, written by hand: one shard of three clips, of which one has no face, and two encoders' worth of numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from blemore.classify.tensors import write_tensors
from blemore.media.align import template
from blemore.media.frames import encode_jpeg
from blemore.media.shard import finish_folder, finish_store, new_folder, new_store, write_clip
from blemore.stores import NO_FACE, OK, Features, Probabilities, write_features, write_json, write_probabilities

CLIPS = ["A1_ang", "A1_mix", "A1_none"]
FPS = 10
SIZE, MARGIN = 64, 0.2
DETECTED = np.array([True, True, False, True, True, True])
MADE = {"settings": {"layers": [6, 12]}, "code": {"a.py": "1", "b.py": "2"}, "inputs": {"audio": "c0ffee"}, "packages": {"numpy": "2"}}


@pytest.fixture
def results(tmp_path) -> Path:
    folder = tmp_path / "results"
    for place in ("media/track", "media/faces", "media/body", "media/audio", "features", "probabilities/w/mlp", "heads/w/mlp", "weights", "data"):
        (folder / place).mkdir(parents=True)
    write_media(folder / "media")
    write_numbers(folder)
    write_sheet(folder / "data" / "sheet.csv")
    return folder


def landmarks_of(frame: int):
    """The template of the crops, twice as large and moved by a pixel a frame."""
    return (template(SIZE, MARGIN) * 2 + [100 + frame, 50]).astype(np.float32)


def write_media(media: Path) -> None:
    landmarks = np.stack([landmarks_of(frame) for frame in range(6)])
    landmarks[5] = np.nan  # the face has left
    boxes = np.concatenate([landmarks.min(1) - 10, landmarks.max(1) + 10], axis=1)
    statuses = dict(zip(CLIPS, (OK, OK, NO_FACE)))
    with new_store(media / "track" / "A1.h5") as store:
        store.attrs["fps"] = FPS
        for clip in CLIPS[:2]:
            write_clip(store, clip, boxes=boxes, landmarks=landmarks, probability=np.full(6, 0.99, np.float32), detected=DETECTED)
        finish_store(store, statuses, MADE)
    crops = [encode_jpeg(np.full((SIZE, SIZE, 3), 40 * frame, np.uint8), 95) for frame in range(5)]
    with new_store(media / "faces" / "A1.h5") as store:
        for clip in CLIPS[:2]:
            write_clip(store, clip, jpeg=crops, timestamps_s=np.arange(5) / FPS, detected=DETECTED[:5])
        finish_store(store, statuses, MADE | {"settings": {"size": SIZE, "margin": MARGIN}})
    frames = [encode_jpeg(np.full((180, 320, 3), 40 * frame, np.uint8), 90) for frame in range(3)]
    with new_store(media / "body" / "A1.h5") as store:
        for clip in CLIPS[:2]:
            write_clip(store, clip, jpeg=frames, timestamps_s=np.arange(3) / 5, boxes=boxes[::2] / 2)
        finish_store(store, statuses, MADE)
    folder = new_folder(media / "audio" / "A1")
    soundfile.write(folder / "A1_ang.flac", np.sin(np.arange(9600) / 20).astype(np.float32) / 2, 16000, subtype="PCM_24")
    finish_folder(folder, ".flac", dict(zip(CLIPS, (OK, 2, 2))), MADE, duration_s={"A1_ang": 0.6}, gain={"A1_ang": 1.0})


def write_numbers(folder: Path) -> None:
    embedding = np.arange(12, dtype=np.float32).reshape(3, 4) ** 2
    embedding[2] = np.nan
    count = np.array([6, 6, 0])
    rows = Features(embedding, CLIPS, np.array([OK, OK, NO_FACE], np.uint8), ["A1", "A1", ""], np.zeros(3), np.full(3, 0.6), count)
    write_features(folder / "features" / "w.zarr", rows, MADE)
    write_json(folder / "features" / "w.run.json", {"rule": "gather_features", "seconds": 1.5})
    probability = np.tile(np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1], np.float32), (3, 1))
    probability[2] = np.nan
    predictions = Probabilities(probability, CLIPS, ["train", "scored", "test"], np.log(probability))
    write_probabilities(folder / "probabilities/w/mlp/fold0.zarr", predictions, list("abcdef"), MADE | {"recipe": {"kind": "mlp"}})
    write_tensors(folder / "heads/w/mlp/fold0.safetensors", {"seed1.0.weight": np.eye(2, 3, dtype=np.float32)})
    history = {"best_epoch": 2, "train_loss": [2.0, 1.0, 0.5], "stop_loss": [2.0, 1.0, 1.5], "stop_score": []}
    write_json(folder / "heads/w/mlp/fold0.json", {"seeds": {"1": history}, "stop_score_spread": None})
    (folder / "weights" / "w.json").write_text(json.dumps({"sha256": {"model.safetensors": "abc"}, "bytes": {"model.safetensors": 12}}))


def write_sheet(path: Path) -> None:
    columns = "filename,video_id,gender,mix,emotion_1,version,intensity_level,situation,emotion_2,emotion_1_salience,emotion_2_salience,fold,split,shard,video"
    rows = ["A1_ang,A1,,0,ang,1,,,,,,0,train,A1,A1_ang.mov", "A1_mix,A1,,1,ang,1,,,hap,70,30,0,train,A1,A1_mix.mov"]
    path.write_text("\n".join([columns, *rows]) + "\n")
