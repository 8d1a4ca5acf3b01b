"""What is read of one clip's file, and what is said of a wrong one."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blemore.features.arrays import pooled, read_npy
from blemore.features.frame_tables import read_csv
from blemore.features.pooling import temporal_statistics
from blemore.features.provided import read_clip
from blemore.job import BadInput
from blemore.stores import OK, PARTIAL

GENERATOR = np.random.default_rng(0)
OPENFACE = ("action_units", "emotion_index", "gaze_yaw", "gaze_pitch")


def saved(path, array, **options):
    np.save(path, array, **options)
    return path


@pytest.mark.parametrize("width", [1024, 1408, 2048, 31, 512])
def test_frames_are_pooled_to_seven_times_their_width(width):
    frames = GENERATOR.normal(size=(5, width)).astype(np.float32)
    row = pooled(frames, width)
    assert np.array_equal(row.vector, temporal_statistics(frames))
    assert (row.status, row.n_frames) == (OK, 5)


def test_the_middle_axis_of_videomaev2_is_squeezed():
    frames = GENERATOR.normal(size=(4, 1, 1408)).astype(np.float32)
    assert np.array_equal(pooled(frames, 1408).vector, temporal_statistics(frames[:, 0]))


@pytest.mark.parametrize("width", [None, 7, 1])
def test_a_vector_is_taken_as_pooled(width):
    row = pooled(np.arange(7.0), width)
    assert np.array_equal(row.vector, np.arange(7, dtype=np.float32))
    assert row.n_frames == 0


def test_frames_with_nan_are_left_out_and_counted():
    frames = np.array([[1, 2], [np.nan, 5], [3, np.inf], [5, 6]])
    row = pooled(frames, 2)
    assert np.array_equal(row.vector, temporal_statistics(frames[[0, 3]]))
    assert (row.status, row.n_frames) == (PARTIAL, 2)


@pytest.mark.parametrize(
    ("array", "width", "sentence"),
    [
        (np.full((2, 3), np.nan), 3, "^holds NaN or infinity in every frame$"),
        (np.array([1, np.nan]), None, "^holds NaN or infinity$"),
        (np.array([[1, 2], [3, 1e39]]), None, "^holds numbers beyond the range of float32$"),
        (np.array([-1e39, 1]), None, "^holds numbers beyond the range of float32$"),
        (np.zeros((2, 2, 3)), None, r"^has shape \(2, 2, 3\); \(time, feature\), \(time, 1, feature\) or \(feature,\) is expected$"),
        (np.zeros((0, 3)), None, r"^has shape \(0, 3\)"),
        (np.array(1.0), None, r"^has shape \(\)"),
        (np.array(["x"]), None, "not numbers$"),
        (np.array([1j]), None, "^holds complex128, not numbers$"),
        (np.zeros((2, 1408)), 1024, "^has 1408 numbers, not 1024 as the encoder's width says$"),
        (np.zeros(1408), 1024, "^has 1408 numbers, not 1024 or 7168 as the encoder's width says$"),
    ],
)
def test_what_is_wrong_is_named(array, width, sentence):
    with pytest.raises(BadInput, match=sentence):
        pooled(array, width)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64])
def test_the_largest_numbers_of_float32_stay_finite(kind):
    largest = kind(np.iinfo(np.int64).max if kind is np.int64 else min(np.finfo(kind).max, np.finfo(np.float32).max))
    assert np.isfinite(pooled(np.array([[largest, -largest], [largest, largest]]), 2).vector).all()
    assert np.isfinite(pooled(np.array([largest, -largest]), None).vector).all()


def test_pickle_is_never_read(tmp_path):
    path = saved(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match=r"cannot be read as a plain array of numbers \(Object arrays cannot be loaded when allow_pickle=False\)"):
        read_npy(path)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"text, not an array", b"PK\x03\x04zip", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fort"])
def test_a_damaged_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"^cannot be read as a plain array of numbers \("):
        read_clip(path, None, None)


def test_a_renamed_npz_is_one_sentence(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones(3))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(BadInput, match=r"^cannot be read as a plain array of numbers \("):
        read_npy(tmp_path / "a.npy")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_a_file_is_a_sentence_or_still_an_array(tmp_path, data):
    path = saved(tmp_path / "a.npy", np.arange(6.0).reshape(2, 3))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        said, vector = "", read_clip(path, None, None).vector
    except BadInput as error:
        said, vector = str(error), np.zeros(1)
    assert np.isfinite(vector).all()
    assert said == "" or said.startswith(("cannot be read", "has", "holds"))


def openface(path, *rows):
    lines = ["frame,action_units,emotion_index,gaze_yaw,gaze_pitch", *(f'{n},"{units}",{rest}' for n, (units, rest) in enumerate(rows))]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_openface_3_is_eleven_numbers_a_frame_whose_list_may_hold_a_bare_nan(tmp_path):
    """Worked by hand: the second frame is left out, so the mean is that of the first and third."""
    units = "0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8"
    rows = (f"[{units}]", "3,-0.25,0.5"), (f"[nan, {units[5:]}]", "1,0,0"), (f"[{units.replace('0.1', '0.3')}]", "5,0.25,0.5")
    path = openface(tmp_path / "a.csv", *rows)
    row = read_clip(path, 11, OPENFACE)
    assert row.vector.shape == (77,)
    assert np.allclose(row.vector[:11], [0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 4, 0, 0.5])
    assert (row.status, row.n_frames) == (PARTIAL, 2)


def test_a_clip_in_which_openface_saw_nobody_is_a_sentence(tmp_path):
    path = openface(tmp_path / "a.csv", ("[" + ", ".join(["nan"] * 8) + "]", ",,"))
    with pytest.raises(BadInput, match=r"^holds NaN or infinity in every frame$"):
        read_clip(path, 11, OPENFACE)


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("1,2\n3,4\n", None, [[1, 2], [3, 4]]),
        (" a, b\n1,2\n", None, [[1, 2]]),
        (" a, b\n1,2\n", ["b"], [[2]]),
        ("a,b\n1,[2 3]\n4,[5 6]\n", ["b", "a"], [[2, 3, 1], [5, 6, 4]]),
        ("\ufeffa\n1e-3\n\n2\n", ["a"], [[0.001], [2]]),
    ],
)
def test_frames_of_a_table(tmp_path, text, columns, expected):
    (tmp_path / "a.csv").write_text(text)
    assert read_csv(tmp_path / "a.csv", columns).tolist() == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"^has no column a; known are none\.$"),
        ("b\n1\n", r"^has no column a; known are b\.$"),
        ("actoin,b\n1,2\n", r"^has no column a; known are actoin, b\.$"),
        ("a\n1\nx\n", "^holds 'x' in frame 2, which is no number$"),
        ('a\n"[1, 2]"\n[1]\n', "^has 1 numbers in frame 2 and 2 in the first$"),
        ('a\n"1', r"^cannot be read as CSV \(.*\)$"),
        ("a\n__import__('os')\n", "which is no number$"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path, text, sentence):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadInput, match=sentence):
        read_csv(tmp_path / "a.csv", ["a"])


def test_a_table_without_frames_is_a_sentence(tmp_path):
    (tmp_path / "a.csv").write_text("a\n")
    with pytest.raises(BadInput, match=r"^has shape \(0, 0\)"):
        read_clip(tmp_path / "a.csv", None, ["a"])
