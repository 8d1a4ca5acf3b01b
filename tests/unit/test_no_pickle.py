"""An object that runs code when it is unpickled, in every kind of file that is read: one sentence, and nothing runs."""

import ast
import json
import os
import pickle
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

from blemore.classify.saved import predict_head
from blemore.data.catalogue import read_rows
from blemore.features.arrays import read_npy
from blemore.features.checkpoints import load_model
from blemore.features.frame_tables import read_csv
from blemore.features.provided import arrays_of_npz
from blemore.features.provided_files import files_in
from blemore.features.videoswin import load as load_videoswin
from blemore.finetune.resume import Resume
from blemore.finetune.s4d_checkpoint import read_tensors
from blemore.fusion.submission import validate_submission
from blemore.inspection.opening import open_store
from blemore.job import BadInput
from blemore.media.shard import read_clip
from blemore.media.tracks import read_fps
from blemore.prediction.system import open_system
from blemore.settings import SCRIPTS
from blemore.stores import read_features, read_manifest, read_probabilities


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def plain(path: Path, bomb: Bomb) -> Path:
    path.write_bytes(pickle.dumps(bomb))
    return path


def object_array(path: Path, bomb: Bomb) -> Path:
    np.save(path, np.array([bomb], object), allow_pickle=True)
    return path


def archive(path: Path, bomb: Bomb, which: str) -> Path:
    arrays = {"X": np.ones((1, 2)), "filenames": np.array(["a"])} | {which: np.array([bomb], object)}
    np.savez(path, **arrays)
    return path


def checkpoint(path: Path, bomb: Bomb, new: bool) -> Path:
    torch.save({"model": bomb}, path, _use_new_zipfile_serialization=new)
    return path


def with_joblib(path: Path, bomb: Bomb) -> Path:
    joblib.dump(bomb, path)
    return path


def zarr_2(path: Path, bomb: Bomb) -> Path:
    """A group of the second format, whose arrays name pickle as their filter."""
    for name in ("embedding", "probability", "clip"):
        (path / name).mkdir(parents=True)
        described = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "order": "C", "fill_value": None, "compressor": None}
        (path / name / ".zarray").write_text(json.dumps(described | {"filters": [{"id": "pickle", "protocol": 5}]}))
        plain(path / name / "0", bomb)
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    path.with_suffix(".json").write_text('{"content_sha256": "0", "clips": ["a"]}')
    return path


def frame_store(path: Path, bomb: Bomb) -> Path:
    path.with_suffix(".json").write_text('{"status": {"a": "ok"}}')
    return plain(path, bomb)


def hub_folder(path: Path, bomb: Bomb) -> Path:
    path.mkdir()
    (path / "config.json").write_text('{"model_type": "wav2vec2", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8}')
    checkpoint(path / "pytorch_model.bin", bomb, new=True)
    return path


def system_folder(path: Path, bomb: Bomb) -> Path:
    path.mkdir()
    plain(path / "system.json", bomb)
    return path


def resume(path: Path, device: str = "cpu") -> object:
    state = Resume(path.parent, {})
    path.rename(state.path)
    return state.read(device)


PLANTED = {
    "x.npy": (object_array, read_npy),
    "rows.npz": (partial(archive, which="X"), arrays_of_npz),
    "names.npz": (partial(archive, which="filenames"), files_in),
    "new.pt": (partial(checkpoint, new=True), read_tensors),
    "old.pt": (partial(checkpoint, new=False), read_tensors),
    "plain.pt": (plain, read_tensors),
    "joblib.pt": (with_joblib, read_tensors),
    "x.safetensors": (plain, read_tensors),
    "swin.pth": (partial(checkpoint, new=True), load_videoswin),
    "hub": (hub_folder, lambda path: load_model(path, "wav2vec2", {"wav2vec2": "wav2vec2.modeling_wav2vec2.Wav2Vec2Model"}, "float32", "cpu")),
    "training.pt": (partial(checkpoint, new=True), resume),
    "head.safetensors": (plain, lambda path: predict_head(path, {}, np.zeros((1, 2), np.float32))),
    "features.zarr": (zarr_2, read_features),
    "probabilities.zarr": (zarr_2, read_probabilities),
    "folder_of_stores.zarr": (zarr_2, files_in),
    "faces.h5": (frame_store, lambda path: read_clip(path, "a", ["jpeg"])),
    "track.h5": (frame_store, read_fps),
    "manifest.json": (plain, lambda path: read_manifest(path.with_suffix(".zarr"))),
    "inspected.h5": (frame_store, open_store),
    "inspected.safetensors": (plain, open_store),
    "sheet.csv": (plain, lambda path: list(read_rows(path))),
    "frames.csv": (plain, lambda path: read_csv(path, None)),
    "system": (system_folder, lambda path: open_system(str(path))),
    "submission.zip": (plain, lambda path: validate_submission(path, [])),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_pickle_is_refused_in_a_sentence_and_never_run(tmp_path, name):
    plant, read = PLANTED[name]
    mark = tmp_path / "it ran"
    path = plant(tmp_path / name, Bomb(mark))
    with pytest.raises(BadInput) as refused:
        read(path)
    assert not mark.exists()
    assert len(str(refused.value).splitlines()) == 1


def test_what_is_planted_would_run(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "it ran")))
    assert (tmp_path / "it ran").is_dir()


UNSAFE = {
    "pickle.load",
    "pickle.loads",
    "joblib.load",
    "pd.read_pickle",
    "yaml.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "eval",
    "exec",
    "shelve.open",
    "marshal.loads",
}
NEEDED = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False), "np.lib.format.read_array": ("allow_pickle", False)}


def test_no_call_in_the_code_unpickles(repository):
    calls = 0
    for source in [*SCRIPTS.rglob("*.py"), *(repository / "demo").glob("*.py"), *(repository / "benchmarks").glob("*.py")]:
        for node in ast.walk(ast.parse(source.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert called not in UNSAFE, f"{source}:{node.lineno}"
            if called in NEEDED:
                calls += 1
                assert NEEDED[called] in [(keyword.arg, getattr(keyword.value, "value", None)) for keyword in node.keywords], f"{source}:{node.lineno}"
    assert calls >= 4
