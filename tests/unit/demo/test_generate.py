import csv
from dataclasses import replace
from pathlib import Path

import av
import design
import generate
import numpy as np
import pytest
from design import FPS, PRESETS, Label, draw_clips

MINI = PRESETS["mini"]


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo") / "data"
    generate.generate(MINI, root, workers=1)
    return root


def written(clip, chosen, folder):
    for path in generate.clip_files(clip, folder):
        path.parent.mkdir(parents=True, exist_ok=True)
    generate.make_clip(clip, chosen, folder)
    return [path.read_bytes() for path in generate.clip_files(clip, folder)]


def test_files_are_laid_out_as_officially(data):
    names = set(contents(data))
    with open(data / "train_metadata.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    videos = {path.stem: path.parent.name for path in data.rglob("*.mov")}
    assert {name for name, folder in videos.items() if folder in ("part_01", "part_02")} == {row["filename"] for row in rows}
    assert {name for name, folder in videos.items() if folder == "test_videos"} == {"test_0001", "test_0002", "test_0003"}
    assert {f"pre_extracted_train_data/ImageBind_train/{row['filename']}.npy" for row in rows} <= names
    assert "pre_extracted_test_data/ImageBind_test/test_0001.npy" in names
    assert "test_metadata.csv" not in names


def test_videos_have_two_streams_of_one_second(data):
    for path in data.rglob("*.mov"):
        with av.open(str(path)) as container:
            assert [stream.type for stream in container.streams] == ["video", "audio"]
            frames = [frame.pts * frame.time_base for frame in container.decode(video=0)]
        assert frames == [number / FPS for number in map(generate.Fraction, range(FPS))]
        with av.open(str(path)) as container:
            sound = list(container.decode(audio=0))
        seconds = sum(frame.samples for frame in sound) / generate.SAMPLE_RATE_HZ
        assert float(sound[0].pts * sound[0].time_base) == pytest.approx(0, abs=0.03)
        assert seconds == pytest.approx(1, abs=0.05)


def test_provided_features_are_finite_and_one_per_second_frame(data):
    for path in data.rglob("*.npy"):
        feature = np.load(path)
        assert (feature.shape, feature.dtype) == ((13, 1024), np.float32)
        assert np.isfinite(feature).all()


def test_the_tiny_wav2vec2_is_whole_and_deep_enough_for_layers_six_to_twelve(data):
    import torch
    from transformers import Wav2Vec2Model

    model, loading = Wav2Vec2Model.from_pretrained(data / "weights" / "wav2vec2_tiny", output_loading_info=True)
    assert not any(loading[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    with torch.no_grad():
        states = model.eval()(torch.randn(1, 16_000), output_hidden_states=True).hidden_states
    assert len(states) == 15
    assert all(state.isfinite().all() for state in states)
    assert (model.config.feat_extract_norm, model.config.conv_kernel, model.config.conv_stride) == ("group", [10, 3, 3, 3, 3, 2, 2], [5, 2, 2, 2, 2, 2, 2])


def test_the_same_arguments_give_the_same_bytes_whatever_the_workers(data, tmp_path):
    generate.generate(MINI, tmp_path / "again", workers=2)
    assert contents(tmp_path / "again") == contents(data)


def test_encoding_is_repeatable_whatever_memory_holds(tmp_path):
    rng = np.random.default_rng(1)
    frames = list(rng.integers(0, 256, (25, 10, 12, 3), dtype=np.uint8).repeat(16, axis=1).repeat(16, axis=2))
    wave = rng.normal(0, 0.1, generate.SAMPLE_RATE_HZ).astype(np.float32)
    versions, clutter = set(), []
    for run in range(20):
        clutter.append(rng.bytes(int(rng.integers(1_000, 600_000))))
        generate.write_video(tmp_path / f"{run}.mov", frames, wave)
        versions.add((tmp_path / f"{run}.mov").read_bytes())
    assert len(versions) == 1


@pytest.mark.parametrize("number", [3, 60, 190])
def test_a_clip_of_full_size_is_the_same_twice_and_another_with_another_seed(number, tmp_path):
    chosen = PRESETS["default"]
    clip = draw_clips(chosen)[number]
    first = written(clip, chosen, tmp_path / "one")
    assert first == written(clip, chosen, tmp_path / "two")
    assert first[0] != written(clip, replace(chosen, seed=2), tmp_path / "three")[0]
    with av.open(str(generate.clip_files(clip, tmp_path / "one")[0])) as container:
        assert 1.6 <= container.duration / av.time_base <= 2.45


def test_without_its_effect_a_label_changes_no_byte(tmp_path, monkeypatch):
    clip = draw_clips(MINI)[4]
    sad, other = Label("sad"), Label("ang", "hap", 30)
    assert written(clip._replace(shown=sad), MINI, tmp_path / "a") != written(clip._replace(shown=other), MINI, tmp_path / "b")
    assert written(clip._replace(label=sad), MINI, tmp_path / "c") == written(clip._replace(label=other), MINI, tmp_path / "d")
    monkeypatch.setattr(design, "EFFECTS", dict.fromkeys(design.EFFECTS, (0.0,) * len(design.PARAMETERS)))
    assert written(clip._replace(shown=sad), MINI, tmp_path / "e") == written(clip._replace(shown=other), MINI, tmp_path / "f")


def test_what_is_there_is_kept_and_anything_else_refused(data):
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    generate.generate(MINI, data)
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
    with pytest.raises(FileExistsError, match="delete it"):
        generate.generate(replace(MINI, seed=2), data)


def test_a_wrong_folder_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["generate.py", "--output", str(tmp_path), "--preset", "mini"])
    with pytest.raises(SystemExit, match=f"{tmp_path} exists"):
        generate.main()


@pytest.mark.parametrize("name", ["--actors", "--folds", "--clips-per-actor"])
def test_sizes_of_zero_are_one_sentence(tmp_path, monkeypatch, name):
    monkeypatch.setattr("sys.argv", ["generate.py", "--output", str(tmp_path / "data"), "--preset", "mini", name, "0"])
    with pytest.raises(SystemExit, match=rf"^generate\.py: {name} is 0; give at least 1\.$"):
        generate.main()
    assert not (tmp_path / "data").exists()


def test_sizes_named_on_the_command_line_replace_the_presets():
    given = generate.arguments(["--output", "x", "--preset", "mini", "--clips-per-actor", "5", "--shuffle-labels"])
    assert (given.clips_per_actor, given.actors, given.shuffle_labels) == (5, None, True)
