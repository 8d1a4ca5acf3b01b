"""What every kind of encoder must do, whatever it looks at or listens to; a kind of the schema without a case here fails."""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import yaml
from checkpoints import TINY, write_tiny
from gemini_server import GeminiServer
from unit.features.shards import CLIPS, GONE, run_script, write_shard
from unit.features.test_wav2vec2 import checkpoint

from blemore.configuration import kind_schemas
from blemore.features.image import ImageEncoder
from blemore.features.kinds import IMAGE, OWN, SPEECH, VIDEO
from blemore.features.weights import describe
from blemore.job import BadInput
from blemore.problems import load_schema
from blemore.stores import MISSING, NO_FACE, OK, STATUSES, USABLE

OTHERWISE = {"provided", *OWN}  # kinds that read nothing of the media stage or yield probabilities, which tests of their own hold


class Case(NamedTuple):
    script: str
    changes: dict  # of the kind's first instance in config.yaml
    no_face: bool = False  # whether a clip without a face has no features
    knows_length: bool = True  # whether it learns how long a clip is


SPEAKING = Case("embed_wav2vec2", {"layers": [1, 3]})
CASES = {
    **dict.fromkeys(SPEECH, SPEAKING),
    **dict.fromkeys(IMAGE, Case("embed_image", {"frames": "faces", "fps": 10.0}, no_face=True)),
    **dict.fromkeys(VIDEO, Case("embed_video", {})),
    "videoswin": Case("embed_videoswin", {"frames": "body", "window": 8}),
    "prosody": Case("embed_prosody", {}),
    "external": Case("embed_external", {"function": f"{Path(__file__).with_name('adapter.py')}:embed", "inputs": ["audio"], "width": 8}, knows_length=False),
    "gemini": Case("embed_gemini", {"confirm_upload": True}),
}
KINDS = sorted(set(kind_schemas(load_schema("config"), "encoder")) - OTHERWISE)


@pytest.fixture(scope="module", autouse=True)
def _torch_as_it_was():
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def shard(tmp_path_factory) -> Path:
    return write_shard(tmp_path_factory.mktemp("shard"))


@pytest.fixture(scope="module")
def turned(tmp_path_factory) -> Path:
    """The same clips in the other order, and fewer."""
    return write_shard(tmp_path_factory.mktemp("turned"), OTHER_ORDER)


OTHER_ORDER = (GONE, "e_faceless", "c_short", "a_normal")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Kind -> its tiny checkpoint, made once."""
    made = {}

    def of(kind):
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind)
            checkpoint(made[kind], kind) if kind in SPEECH else write_tiny(kind, made[kind], 1)
        return made[kind]

    return of


@pytest.fixture(scope="module")
def embed(repository, weights):
    defaults = yaml.safe_load((repository / "config.yaml").read_text())["features"]

    def run(kind, shard, output, clips=CLIPS):
        case = CASES[kind]
        settings = next(instance for instance in defaults.values() if instance["kind"] == kind) | case.changes
        if not (kind in TINY or kind in SPEECH):
            return run_script(case.script, settings, shard, output, clips)
        folder = weights(kind)
        return run_script(case.script, settings | {"model": str(folder)}, shard, output, clips, describe(folder))

    return run


@pytest.fixture
def service(monkeypatch):
    with GeminiServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("service")
def test_every_kind_keeps_the_contract(kind, shard, turned, embed, tmp_path):
    first = embed(kind, shard, tmp_path / "first")
    expected = [MISSING if clip == GONE else NO_FACE if clip == "e_faceless" and CASES[kind].no_face else OK for clip in CLIPS]
    assert first.clip == list(CLIPS)
    assert [STATUSES[status] for status in first.status] == [STATUSES[status] for status in expected]
    usable = np.isin(first.status, USABLE)
    assert first.embedding.dtype == np.float32
    assert np.isfinite(first.embedding[usable]).all()
    assert np.isnan(first.embedding[~usable]).all()
    assert (first.n_frames > 0).tolist() == usable.tolist()
    assert np.isfinite(first.end_s[usable]).all() == CASES[kind].knows_length
    assert set(first.actor) == {"A1"}
    rows = first.embedding[usable]
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert np.array_equal(embed(kind, shard, tmp_path / "again").embedding, first.embedding, equal_nan=True)
    other = embed(kind, turned, tmp_path / "turned", OTHER_ORDER)
    assert other.clip == list(OTHER_ORDER)
    assert np.array_equal(other.embedding, first.embedding[[CLIPS.index(clip) for clip in OTHER_ORDER]], equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("service")
def test_every_kind_refuses_media_with_a_flipped_bit(kind, shard, embed, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(shard, damaged)
    for name in ("audio/a_normal.flac", "clips/a_normal.mp4", "faces.h5", "body.h5"):
        content = bytearray((damaged / name).read_bytes())
        content[len(content) // 2] ^= 1
        (damaged / name).write_bytes(content)
    with pytest.raises(BadInput, match=r"delete .* and run again"):
        embed(kind, damaged, tmp_path / "never")
    assert not list((tmp_path / "never").glob("*.zarr"))


def test_every_kind_of_the_schema_has_a_case():
    assert sorted(CASES) == KINDS


@pytest.mark.parametrize("kind", IMAGE)
def test_the_size_of_a_batch_changes_nothing_but_rounding(kind, weights):
    frames = np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3), np.uint8)
    one, four = (ImageEncoder(weights(kind), kind, at_once=size)(frames) for size in (1, 4))
    assert np.abs(one - four).max() < 1e-5
