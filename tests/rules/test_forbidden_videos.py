"""A video that the user may not read is a status like any other bad one."""

import importlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from rules.bad_videos import encode
from rules.media_stage import CFG, STORES, run_script

from blemore.media.align import template
from blemore.media.shard import finish_store, new_store, write_clip
from blemore.media.video import read_video
from blemore.stores import OK

NOBODY = 65534


@contextmanager
def another_user() -> Iterator[None]:
    if os.geteuid():
        pytest.skip("to be another user needs root")
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def write_track(path: Path, clips: dict[str, Path]) -> None:
    """A face in every frame, so that the scripts that read it open the videos."""
    fps = CFG["track_faces"]["fps"]
    path.parent.mkdir()
    with new_store(path) as store:
        store.attrs["fps"] = fps
        for clip, video in clips.items():
            n_frames = len(read_video(video, fps).frames)
            face = {"boxes": np.array([0, 0, 40, 40], np.float32), "landmarks": template(40, 0.2).astype(np.float32), "probability": np.float32(1)}
            write_clip(store, clip, **{name: np.repeat(values[None], n_frames, 0) for name, values in face.items()}, detected=np.ones(n_frames, bool))
        finish_store(store, dict.fromkeys(clips, OK), {})


@pytest.mark.parametrize("name", ["extract_audio", "cut_clips", "track_faces", "crop_faces", "sample_body_frames"])
def test_a_video_that_may_not_be_read_harms_no_other(name):
    importlib.import_module(name)  # packages may lie where only this user reads
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        clips = {clip: encode(Path(folder, f"{clip}.mov"), "-c:v", "mpeg4", "-c:a", "pcm_s16le") for clip in ("open", "closed")}
        results = Path(folder, "results")
        results.mkdir()
        if name in ("crop_faces", "sample_body_frames"):
            write_track(results / STORES["track_faces"], clips)
        clips["closed"].chmod(0o600)
        for path in (Path(folder), results):
            path.chmod(0o777)
        with another_user():
            manifest = run_script(name, clips, results)
    assert manifest["status"] == {"open": "no_face" if name == "track_faces" else "ok", "closed": "decode_error"}
