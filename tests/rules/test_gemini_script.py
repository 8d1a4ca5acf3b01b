"""embed_gemini on a shard of four clips, one without a video, against the stand-in server."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gemini_server import DIMENSION, KEY, GeminiServer, hashed
from tenacity import wait_none

import embed_gemini
from blemore.features import gemini
from blemore.job import BadInput
from blemore.media.clips import write_mp4
from blemore.media.shard import finish_folder, new_folder
from blemore.stores import API_ERROR, MISSING, OK, read_attributes, read_features

CUT = {"audio_bitrate": 64000, "crf": 30, "fps": 25, "max_height": 64, "seconds": 1.0}
CLIPS = {"A1_a": 0, "A1_b": 80, "A1_c": 160, "A1_gone": None}  # grey of the picture
CFG = {"accept_failed": False, "dimension": DIMENSION, "frames_per_second": 1.0, "instruction": None, "model": "gemini-embedding-2", "sound": False}
SENDING = {"concurrency": 2, "confirm_upload": True, "patience_s": 0.3, "platform": "developer", "timeout_s": 5.0}


@pytest.fixture(autouse=True)
def shard(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gemini, "BACKOFF", wait_none())
    folder = new_folder("clips/A1")
    Path("videos").mkdir()
    for clip, grey in CLIPS.items():
        if grey is not None:
            write_mp4(folder / f"{clip}.mp4", [np.full((64, 64, 3), grey, np.uint8)] * 25, None, **{k: v for k, v in CUT.items() if k != "seconds"})
            Path(f"videos/{clip}.mov").write_bytes(clip.encode())
    finish_folder(folder, ".mp4", {clip: MISSING if grey is None else OK for clip, grey in CLIPS.items()}, {})
    return folder


@pytest.fixture
def serve(monkeypatch):
    """A server, and clip -> the fault that it plays for it."""
    faults: dict[str, str] = {}

    def fault(before: int, digest: str) -> str | None:
        named = {hashlib.sha256(path.read_bytes()).hexdigest(): path.stem for path in Path("clips/A1").glob("*.mp4")}
        return faults.get(named[digest])

    with GeminiServer(fault=fault) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server, faults


def embed(sending=SENDING, **changes):
    there = {clip: None if grey is None else 1 for clip, grey in CLIPS.items()}
    params = SimpleNamespace(
        cfg=CFG | changes, cut=CUT, code={}, clips=there, actors=dict.fromkeys(CLIPS, "A1"), sending=sending, runtime={"api_replies": "kept"}
    )
    videos = [f"videos/{clip}.mov" for clip, size in there.items() if size]
    embed_gemini.main(SimpleNamespace(input=SimpleNamespace(clips="clips/A1", videos=videos), output=SimpleNamespace(store="g.zarr"), params=params))
    return read_features("g.zarr")


def test_every_clip_has_a_row_and_a_status(serve, shard):
    server, _ = serve
    features = embed()
    assert features.status.tolist() == [OK, OK, OK, MISSING]
    assert np.allclose(features.embedding[1], hashed([(shard / "A1_b.mp4").read_bytes()]), atol=1e-6)
    assert features.n_frames.tolist() == [1, 1, 1, 0]
    assert server.asked.total() == 3
    assert read_attributes("g.zarr")["endpoint"] == "GOOGLE_GEMINI_BASE_URL"


def test_a_shard_with_failed_clips_names_them_and_asks_for_them_alone_the_next_time(serve):
    server, faults = serve
    faults |= {"A1_b": "unavailable", "A1_c": "html"}
    sentence = (
        r"^2 of 3 clips got no embedding \(A1_b: 503 .*; A1_c: 502 .*\); run again and only these are asked for, since the other replies are kept, "
        r"or set accept_failed: true of this encoder to write them as api_error\.$"
    )
    with pytest.raises(BadInput, match=sentence) as error:
        embed()
    assert KEY not in str(error.value)
    assert not Path("g.json").exists()
    faults.clear()
    assert embed().status.tolist() == [OK, OK, OK, MISSING]
    assert sorted(server.answered.values()) == [1, 1, 1]


def test_a_permanent_refusal_is_the_clips_status(serve):
    _, faults = serve
    faults |= {"A1_b": "bad_request"}
    features = embed()
    assert features.status.tolist() == [OK, API_ERROR, OK, MISSING]
    assert np.isnan(features.embedding[1]).all()


def test_failures_may_be_accepted(serve):
    _, faults = serve
    faults |= {"A1_b": "unavailable"}
    assert embed(accept_failed=True).status.tolist() == [OK, API_ERROR, OK, MISSING]


def test_what_concerns_every_clip_stops_the_shard_even_then(serve):
    _, faults = serve
    faults |= {"A1_a": "forbidden"}
    with pytest.raises(BadInput, match="the service takes no request"):
        embed(accept_failed=True)
    assert not Path("g.json").exists()


def test_deleted_results_and_another_dimension_are_not_paid_for_again(serve):
    server, _ = serve
    full = embed()
    short = embed(dimension=768)
    assert short.embedding.shape == (4, 768)
    assert np.allclose(short.embedding[0] * np.linalg.norm(full.embedding[0, :768]), full.embedding[0, :768], atol=1e-6)
    assert server.asked.total() == 3


def test_nothing_is_sent_without_consent(serve):
    server, _ = serve
    said = r"^the first 1 s of each video, faces included, would leave this machine for the server .*: set confirm_upload: true of this encoder to agree\.$"
    with pytest.raises(BadInput, match=said):
        embed(sending=SENDING | {"confirm_upload": False})
    assert server.asked.total() == 0
