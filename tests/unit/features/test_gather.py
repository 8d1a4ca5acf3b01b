import numpy as np
import pytest

from blemore.features.gather import check_failures, concatenate, join, same_extraction
from blemore.job import BadInput
from blemore.stores import DECODE_ERROR, MISSING, NO_AUDIO, NO_FACE, OK, PARTIAL, Features


def features(clips, status=None, width=2):
    n = len(clips)
    status = np.zeros(n, np.uint8) if status is None else np.array(status, np.uint8)
    embedding = np.array([[float(clip[1:])] * width for clip in clips], np.float32)
    embedding[status != 0] = np.nan
    return Features(embedding, clips, status, [clip[0] for clip in clips], np.zeros(n), np.ones(n), np.arange(n))


def test_rows_are_sorted_by_clip_whatever_the_shards():
    once = concatenate([features(["b2", "a1"]), features(["c3"])])
    other = concatenate([features(["c3", "b2"]), features(["a1"])])
    assert once.clip == other.clip == ["a1", "b2", "c3"]
    assert once.actor == ["a", "b", "c"]
    assert once.embedding[:, 0].tolist() == [1, 2, 3]
    assert np.array_equal(once.embedding, other.embedding)


def test_types_survive():
    gathered = concatenate([features(["a1"]), features(["b2"])])
    assert (gathered.embedding.dtype, gathered.status.dtype, gathered.n_frames.dtype) == (np.float32, np.uint8, np.int64)


def test_shards_of_different_width_are_refused():
    with pytest.raises(BadInput, match=r"^shards of one encoder have \[2, 3\] numbers per clip; delete its shards and run again\.$"):
        concatenate([features(["a1"]), features(["b2"], width=3)])


def test_encoders_are_joined_clip_by_clip_in_the_order_named():
    """Worked by hand: a1 is whole, b2 partial in one, c3 fails in the second, d4 in both (the first says why), e5 is known to the second alone."""
    seen = features(["d4", "a1", "b2", "c3"], [NO_FACE, OK, OK, OK])
    heard = features(["a1", "b2", "c3", "d4", "e5"], [OK, PARTIAL, NO_AUDIO, DECODE_ERROR, OK], width=3)
    heard.embedding[1] = 7
    joined = join({"seen": seen, "heard": heard})
    assert joined.clip == ["a1", "b2", "c3", "d4", "e5"]
    assert joined.status.tolist() == [OK, PARTIAL, NO_AUDIO, NO_FACE, MISSING]
    assert joined.embedding[:2].tolist() == [[1, 1, 1, 1, 1], [2, 2, 7, 7, 7]]
    assert np.isnan(joined.embedding[2:]).all()
    assert joined.actor == ["a", "b", "c", "d", "e"]
    assert joined.n_frames.tolist() == [1 + 0, 2 + 1, 3 + 2, 0 + 3, 4]
    assert (joined.embedding.dtype, joined.status.dtype, joined.n_frames.dtype) == (np.float32, np.uint8, np.int64)


def test_a_shard_without_any_usable_clip_takes_the_width_of_the_others():
    gathered = concatenate([features(["a1"], [NO_FACE], width=0), features(["b2"], width=3)])
    assert gathered.embedding.shape == (2, 3)
    assert np.isnan(gathered.embedding[0]).all()


def test_too_many_failed_clips_are_named_with_the_setting():
    with pytest.raises(BadInput) as refused:
        check_failures(features(["a1", "b2", "c3", "d4"], [DECODE_ERROR, MISSING, NO_FACE, 0]), 0.25)
    assert str(refused.value) == (
        "2 of 4 clips failed (1 decode_error, 1 missing; first: a1, b2), more than data.max_failed_fraction 0.25 allows: mend the files, or raise it."
    )


def test_a_clip_without_a_face_is_no_failure():
    check = features(["a1", "b2"], [NO_FACE, NO_FACE])
    assert check_failures(check, 0.0) is None


def test_what_made_all_shards_is_kept_without_their_inputs():
    shards = {"A.zarr": {"settings": {"layers": [6, 12]}, "inputs": {"audio": "1"}}, "B.zarr": {"settings": {"layers": [6, 12]}, "inputs": {"audio": "2"}}}
    assert same_extraction(shards) == {"settings": {"layers": [6, 12]}}


@pytest.mark.parametrize(
    "other", [{"settings": {"layers": [1, 2]}, "code": "x"}, {"settings": {"layers": [6, 12]}, "code": "y"}, {"settings": {"layers": [6, 12]}}]
)
def test_shards_of_different_making_are_not_mixed(other):
    with pytest.raises(
        BadInput, match=r"A\.zarr and B\.zarr were made in different ways \((settings\.layers|code): .*\); delete the older one and run again\.$"
    ):
        same_extraction({"A.zarr": {"settings": {"layers": [6, 12]}, "code": "x"}, "B.zarr": other})
