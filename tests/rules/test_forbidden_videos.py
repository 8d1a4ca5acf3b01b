"""A video that the user may not read is a status like any other bad one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rules.bad_videos import encode
from rules.media_stage import run_script

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


@pytest.mark.parametrize("name", ["extract_audio", "cut_clips"])
def test_a_video_that_may_not_be_read_harms_no_other(name):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        clips = {clip: encode(Path(folder, f"{clip}.mov"), "-c:v", "mpeg4", "-c:a", "pcm_s16le") for clip in ("open", "closed")}
        clips["closed"].chmod(0o600)
        results = Path(folder, "results")
        results.mkdir()
        for path in (Path(folder), results):
            path.chmod(0o777)
        with another_user():
            manifest = run_script(name, clips, results)
    assert manifest["status"] == {"open": "ok", "closed": "decode_error"}
