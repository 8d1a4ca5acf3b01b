import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blemore.features.pooling import temporal_statistics
from blemore.features.provided import import_features, read_array
from blemore.job import BadInput
from blemore.stores import DECODE_ERROR, MISSING, OK

GENERATOR = np.random.default_rng(0)


def saved(path, array, **options):
    np.save(path, array, **options)
    return path


@pytest.mark.parametrize("width", [1024, 1408, 2048])
def test_frames_are_pooled_to_seven_times_their_width(tmp_path, width):
    frames = GENERATOR.normal(size=(5, width)).astype(np.float32)
    assert np.array_equal(read_array(saved(tmp_path / "a.npy", frames)), temporal_statistics(frames))


def test_the_middle_axis_of_videomaev2_is_squeezed(tmp_path):
    frames = GENERATOR.normal(size=(4, 1, 1408)).astype(np.float32)
    assert np.array_equal(read_array(saved(tmp_path / "a.npy", frames)), temporal_statistics(frames[:, 0]))


def test_a_vector_is_taken_as_pooled(tmp_path):
    assert np.array_equal(read_array(saved(tmp_path / "a.npy", np.arange(7.0))), np.arange(7, dtype=np.float32))


def test_pickle_is_never_read(tmp_path):
    path = saved(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match=r"cannot be read as a plain array of numbers \(Object arrays cannot be loaded when allow_pickle=False\)"):
        read_array(path)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.full((2, 3), np.nan), "holds NaN or infinity"),
        (np.full((2, 3), np.inf), "holds NaN or infinity"),
        (np.zeros((2, 2, 3)), r"has shape \(2, 2, 3\)"),
        (np.zeros((0, 3)), r"has shape \(0, 3\)"),
        (np.array(["x"]), "not numbers"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, array, sentence):
    with pytest.raises(BadInput, match=sentence):
        read_array(saved(tmp_path / "a.npy", array))


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"text, not an array", b"PK\x03\x04zip", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fort"])
def test_a_damaged_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.npy cannot be read"):
        read_array(path)


def test_one_bad_clip_harms_no_other(tmp_path, capsys):
    files = {
        "good": saved(tmp_path / "good.npy", np.ones((3, 2))),
        "gone": None,
        "wide": saved(tmp_path / "wide.npy", np.ones((3, 5))),
        "fine": saved(tmp_path / "fine.npy", np.zeros((1, 2))),
        "nan": saved(tmp_path / "nan.npy", np.full((3, 2), np.nan)),
    }
    features = import_features(files, dict.fromkeys(files, "A1"))
    assert features.status.tolist() == [OK, MISSING, DECODE_ERROR, OK, DECODE_ERROR]
    assert features.embedding.shape == (5, 14)
    assert np.isfinite(features.embedding[[0, 3]]).all()
    assert np.isnan(features.embedding[[1, 2, 4]]).all()
    assert "wide: 35 numbers where most clips have 14" in capsys.readouterr().out


def test_nothing_usable_is_refused():
    with pytest.raises(BadInput, match="none of 1 clips has a usable file"):
        import_features({"a": None}, {"a": ""})


def test_a_renamed_npz_is_one_sentence(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones(3))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(BadInput, match=r"a\.npy cannot be read as a plain array of numbers"):
        read_array(tmp_path / "a.npy")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_a_file_is_a_sentence_or_still_an_array(tmp_path, data):
    path = saved(tmp_path / "a.npy", np.arange(6.0).reshape(2, 3))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        said, array = "", read_array(path)
    except BadInput as error:
        said, array = str(error), np.zeros(1)
    assert np.isfinite(array).all()
    assert said == "" or said.startswith(f"{path} ")
