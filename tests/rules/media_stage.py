"""The scripts of the media stage on one shard, in the order in which the rules run them."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from blemore.stores import read_manifest

CFG = {
    "track_faces": {
        "detect_height": 120,
        "follow_probability": 0.9,
        "fps": 10,
        "landmarks": "followed",
        "max_gap_s": 0.5,
        "min_face_px": 20,
        "person": "prominent",
        "search_interval_s": 0.6,
        "smooth_s": 0.17,
        "stride": 1,
        "thresholds": [0.6, 0.7, 0.7],
    },
    "crop_faces": {"margin": 0.2, "quality": 95, "size": 160},
    "sample_body_frames": {"crop": "person", "face_heights": 6, "fps": 5, "quality": 90, "short_side": 128},
    "extract_audio": {"sample_rate_hz": 16000},
    "cut_clips": {"audio_bitrate": 64000, "crf": 23, "fps": 10, "max_height": 100, "seconds": 0.5},
}
STORES = {
    "track_faces": "track/A1.h5",
    "crop_faces": "faces/A1.h5",
    "sample_body_frames": "body/A1.h5",
    "extract_audio": "audio/A1",
    "cut_clips": "clips/A1",
}


def run_script(name: str, clips: Mapping[str, Path | None], results: Path, **changes: object) -> dict[str, Any]:
    """The manifest that one script leaves in `results`.

    Args:
        clips: clip id -> its video, None where there is none.
        changes: of the settings `CFG[name]`.
    """
    store, track = results / STORES[name], results / STORES["track_faces"]
    store.parent.mkdir(parents=True, exist_ok=True)
    params = SimpleNamespace(
        cfg=CFG[name] | changes,
        code={"video.py": "0"},
        clips={clip: None if video is None else 1 for clip, video in clips.items()},
        runtime={"device": "cpu", "clips_at_once": 2},
    )
    inputs = SimpleNamespace(videos=[str(video) for video in clips.values() if video], track=str(track), manifest=str(track.with_suffix(".json")))
    output = SimpleNamespace(store=str(store), manifest=str(store.with_suffix(".json")))
    importlib.import_module(name).main(SimpleNamespace(input=inputs, output=output, params=params, threads=1))
    return read_manifest(store)
