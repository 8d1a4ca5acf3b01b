"""Features of all clips from whatever holds them: files of clips, an .npz file, a store of this workflow."""

from types import SimpleNamespace

import numpy as np
import pytest
from unit.data.sheets import SMALL, data_block, touch

from blemore.data.catalogue import Catalogue
from blemore.features.pooling import temporal_statistics
from blemore.features.provided import import_features, origins
from blemore.features.provided_files import clip_of, files_in, provided_files, text_array
from blemore.job import BadInput
from blemore.stores import DECODE_ERROR, MISSING, NO_FACE, OK, PARTIAL, Features, provenance, write_features


def saved(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return path


def store(path, clips, status=(OK,), width=3, layers=(6, 12)):
    """A feature store of this workflow, rows 0, 1, 2, …; `status` is that of the first rows."""
    status = np.array([*status, *[OK] * (len(clips) - len(status))], np.uint8)
    embedding = np.repeat(np.arange(len(clips), dtype=np.float32)[:, None], width, 1)
    embedding[~np.isin(status, (OK, PARTIAL))] = np.nan
    n = len(clips)
    features = Features(embedding, list(clips), status, [""] * n, np.zeros(n), np.full(n, 2.0), np.full(n, 50, np.int64))
    params = SimpleNamespace(cfg={"max_failed_fraction": 0.05}, code={"gather_features.py": "0"})
    extraction = {"settings": {"layers": list(layers), "model": "large"}, "code": {"embed_wav2vec2.py": "1"}, "packages": {}}
    write_features(path, features, provenance(params, {}, (), extraction=extraction))
    return path


def imported(place, clips, **settings):
    found = files_in(place)
    return import_features({clip: found.get(clip, (None,))[0] for clip in clips}, dict.fromkeys(clips, "A1"), **settings)


def test_one_bad_clip_harms_no_other(tmp_path, capsys):
    for name, array in {
        "good": np.ones((3, 2)),
        "wide": np.ones((3, 5)),
        "fine": np.zeros((1, 2)),
        "nan": np.full((3, 2), np.nan),
        "some": np.array([[1, 2], [np.nan, 0]]),
    }.items():
        saved(tmp_path / f"{name}.npy", array)
    features = imported(tmp_path, ["good", "gone", "wide", "fine", "nan", "some"])
    assert features.status.tolist() == [OK, MISSING, DECODE_ERROR, OK, DECODE_ERROR, PARTIAL]
    assert features.embedding.shape == (6, 14)
    assert np.isfinite(features.embedding[[0, 3, 5]]).all()
    assert np.isnan(features.embedding[[1, 2, 4]]).all()
    assert features.n_frames.tolist() == [3, 0, 0, 1, 0, 1]
    said = capsys.readouterr().out
    assert "wide: 35 numbers where most clips have 14." in said
    assert f"nan: {tmp_path}/nan.npy holds NaN or infinity in every frame." in said
    assert "some: 1 of 2 frames hold NaN or infinity and are left out." in said
    assert "gone: there is no file." in said


def test_a_link_that_leads_nowhere_is_a_clip_without_a_file(tmp_path, capsys):
    saved(tmp_path / "good.npy", np.ones((3, 2)))
    for name in ("unfetched.npy", "more.npz"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere" / name)
    assert imported(tmp_path, ["good", "unfetched"]).status.tolist() == [OK, MISSING]
    assert "unfetched: there is no file." in capsys.readouterr().out


def test_a_folder_of_another_encoder_is_refused_with_the_reason(tmp_path):
    saved(tmp_path / "a.npy", np.ones((3, 1024)))
    said = r"^none of 1 clips has usable features \(the first: a: .*a\.npy has 1024 numbers, not 2048 as the encoder's width says\); mend the files, or "
    with pytest.raises(BadInput, match=said):
        imported(tmp_path, ["a"], width=2048)


def test_nothing_usable_is_refused():
    with pytest.raises(BadInput) as refused:
        import_features({"a": None}, {"a": ""})
    assert str(refused.value) == "none of 1 clips has usable features (the first: a: there is no file); mend the files, or features.*.train, test and width."


@pytest.mark.parametrize("kind", [str, bytes])
def test_an_npz_file_holds_vectors_by_file_name(tmp_path, kind):
    names = ["b.mov", "a", "folder/c.npy"]
    np.savez(tmp_path / "x.npz", X=np.array([[1.0, 2], [3, 4], [np.nan, 6]]), filenames=np.array([kind(n, "ascii") if kind is bytes else n for n in names]))
    features = imported(tmp_path / "x.npz", ["a", "b", "c", "d"], width=2)
    assert features.embedding[:2].tolist() == [[3, 4], [1, 2]]
    assert features.status.tolist() == [OK, OK, DECODE_ERROR, MISSING]


def test_an_npz_file_may_hold_frames(tmp_path):
    frames = np.random.default_rng(0).normal(size=(2, 5, 3))
    np.savez_compressed(tmp_path / "x.npz", X=frames, filenames=np.array(["a", "b"]))
    assert np.array_equal(imported(tmp_path / "x.npz", ["b"]).embedding[0], temporal_statistics(frames[1]))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"X": np.ones((2, 3))}, r"x\.npz does not hold the arrays X and filenames; save them with np\.savez\.$"),
        (
            {"X": np.ones((2, 3)), "filenames": np.array(["a", "b"], object)},
            r"x\.npz cannot be read \(filenames is of type \|O, not text\); ",
        ),
        (
            {"X": np.ones((2, 3)), "filenames": np.array([["a"], ["b"]])},
            r"x\.npz cannot be read \(.*\); filenames must be an array of text, saved without pickle\.$",
        ),
        ({"X": np.ones((2, 3)), "filenames": np.array(["a", "a.mov"])}, r"^a is there twice, in .*x\.npz and in .*x\.npz; keep one\.$"),
    ],
)
def test_an_npz_file_without_names_is_refused_before_anything_runs(tmp_path, arrays, said):
    np.savez(tmp_path / "x.npz", allow_pickle=True, **arrays)
    with pytest.raises(BadInput, match=said):
        files_in(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([{"a": 1}, 2], object), r"x\.npz cannot be read as arrays X and filenames without pickle \(.*\); save them again with np\.savez\.$"),
        (np.ones((3, 2)), r"x\.npz: X has shape \(3, 2\) and filenames 2 names; save them with one row for each name\.$"),
        (np.ones(2), r"X has shape \(2,\)"),
    ],
)
def test_an_npz_file_with_other_values_is_refused_as_a_whole(tmp_path, values, said):
    np.savez(tmp_path / "x.npz", X=values, filenames=np.array(["a", "b"]))
    with pytest.raises(BadInput, match=said):
        imported(tmp_path / "x.npz", ["a", "b"])


def test_another_content_of_equal_size_is_seen_in_an_npz_file(tmp_path):
    seen = []
    for value in (1.0, 2.0):
        np.savez(tmp_path / "x.npz", X=np.full((1, 2), value), filenames=np.array(["a"]))
        seen.append(((tmp_path / "x.npz").stat().st_size, files_in(tmp_path / "x.npz")["a"][1]))
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] != seen[1][1]


@pytest.mark.parametrize("names", [["a"], ["a", "Überlänge"], [], [b"a", b"bcd"]])
def test_names_are_read_as_numpy_reads_them(tmp_path, names):
    array = np.array(names) if names else np.array([], "<U3")
    for version in (array, array.astype(array.dtype.newbyteorder(">"))):
        np.save(tmp_path / "n.npy", version)
        assert text_array((tmp_path / "n.npy").read_bytes()) == [n.decode() if isinstance(n, bytes) else n for n in names]


def test_names_that_are_no_array_are_refused():
    with pytest.raises(ValueError, match=r"^filenames is no array$"):
        text_array(b"[1, 2]")


@pytest.mark.parametrize(("name", "clip"), [("A1_x.mov", "A1_x"), ("A1_x", "A1_x"), ("A1_x.npy", "A1_x"), ("part/A1.v2.MP4", "A1.v2")])
def test_the_clip_of_a_file_name(name, clip):
    assert clip_of(name) == clip


def test_a_store_of_this_workflow_is_imported_by_clip_with_its_statuses(tmp_path):
    path = store(tmp_path / "theirs.zarr", ["c", "b", "a"], status=(NO_FACE, PARTIAL))
    features = imported(path, ["a", "b", "c", "d"])
    assert features.clip == ["a", "b", "c", "d"]
    assert features.status.tolist() == [OK, PARTIAL, NO_FACE, MISSING]
    assert features.embedding[:2, 0].tolist() == [2, 1]
    assert features.n_frames.tolist() == [50, 50, 50, 0]
    assert features.end_s[:2].tolist() == [2, 2]


def test_a_folder_of_stores_is_one_encoder_if_all_were_made_alike(tmp_path):
    one, other = store(tmp_path / "A1.zarr", ["a"]), store(tmp_path / "A2.zarr", ["b"])
    assert imported(tmp_path, ["a", "b"]).status.tolist() == [OK, OK]
    kept = origins({"a": one, "b": other})
    assert [origin["store"] for origin in kept] == ["A1.zarr", "A2.zarr"]
    assert kept[0]["extraction"]["settings"]["layers"] == [6, 12]
    assert len(kept[0]["content_sha256"]) == 64
    assert str(tmp_path) not in str(kept)


def test_stores_of_different_settings_are_not_mixed(tmp_path):
    files = {"a": store(tmp_path / "A1.zarr", ["a"]), "b": store(tmp_path / "A2.zarr", ["b"], layers=(1, 5))}
    with pytest.raises(
        BadInput,
        match=r"A1\.zarr and .*A2\.zarr were made in different ways \(settings\.layers: \[6, 12\] -> \[1, 5\]\); import them as encoders of their own\.$",
    ):
        origins(files)


def test_files_of_clips_have_no_origin(tmp_path):
    assert origins({"a": saved(tmp_path / "a.npy", np.ones(3)), "b": None}) == []


def test_a_store_without_its_manifest_is_refused(tmp_path):
    store(tmp_path / "x.zarr", ["a"])
    (tmp_path / "x.json").unlink()
    with pytest.raises(BadInput, match=r"x\.zarr is no store of this workflow with its manifest x\.json beside it \(.*\); copy both\.$"):
        files_in(tmp_path / "x.zarr")


def test_a_store_that_does_not_hold_what_its_manifest_says_is_refused(tmp_path):
    store(tmp_path / "x.zarr", ["a"])
    store(tmp_path / "y.zarr", ["a"], width=4)
    (tmp_path / "y.json").rename(tmp_path / "x.json")
    with pytest.raises(BadInput, match=r"^.*x\.zarr does not hold what its manifest .*x\.json says; delete both and run again\.$"):
        imported(tmp_path / "x.zarr", ["a"])


def test_a_clip_that_is_there_twice_is_refused(tmp_path):
    saved(tmp_path / "a.npy", np.ones(2))
    (tmp_path / "a.csv").write_text("1,2\n")
    with pytest.raises(BadInput, match=r"^a is there twice, in .*a\.csv and in .*a\.npy; keep one\.$"):
        files_in(tmp_path)


def test_a_place_of_another_kind_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("1\n")
    with pytest.raises(
        BadInput, match=r"x\.csv is no folder, \.npz file or \.zarr store; name a folder with one \.npy or \.csv file for each clip, or one of the others\.$"
    ):
        files_in(tmp_path / "x.csv")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "train_metadata.csv").write_text(SMALL)
    touch(tmp_path / "test_videos" / "test_0001.mov")
    return tmp_path


def test_files_are_found_by_split(root):
    train, test = touch(root / "f_train" / "A102_neu_sit2_ver1.npy", size=3), touch(root / "f_test" / "test_0001.npy", size=4)
    touch(root / "f_test" / "A101_ang_int1_ver1.npy")
    touch(root / "f_train" / ".A101_ang_int1_ver1.npy")
    catalogue = Catalogue(data_block(root))
    found = provided_files(catalogue, {"train": "f_train", "test": "f_test"})
    assert list(found) == [clip.clip for shard in catalogue.by_shard.values() for clip in shard]
    assert {clip: file for clip, file in found.items() if file[0]} == {"A102_neu_sit2_ver1": (str(train), 3, "A102"), "test_0001": (str(test), 4, "")}
    assert found["A101_ang_int1_ver1"] == (None, None, "A101")


@pytest.mark.parametrize("test", ["absent", None])
def test_folders_may_be_absent(root, test):
    assert provided_files(Catalogue(data_block(root)), {"train": "absent", "test": test})["test_0001"] == (None, None, "")


def test_one_file_may_hold_both_splits(root):
    np.savez(root / "all.npz", X=np.ones((2, 2)), filenames=np.array(["test_0001.mov", "A102_neu_sit2_ver1.mov"]))
    found = provided_files(Catalogue(data_block(root)), {"train": "all.npz", "test": "all.npz"})
    assert sorted(clip for clip, (file, *_) in found.items() if file) == ["A102_neu_sit2_ver1", "test_0001"]
