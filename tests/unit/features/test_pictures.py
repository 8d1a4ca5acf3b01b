import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.features.shards import CLIPS, FPS, SECONDS, pictures, write_shard

from blemore.features.pictures import end_s, picture_clips, shown_at
from blemore.stores import MISSING, NO_FACE, OK


def slowly(times_s, fps):
    """Every moment in turn: the last frame before its middle."""
    shown = []
    for k in range(round(end_s(times_s) * fps)):
        before = [index for index, time_s in enumerate(times_s) if time_s < (k + 0.5) / fps]
        if before and before[-1] not in shown:
            shown.append(before[-1])
    return shown or [0]


@given(st.lists(st.floats(0, 6), min_size=1, max_size=40, unique=True), st.sampled_from([0.5, 3.0, 10.0, 30.0]))
def test_frames_at_a_lower_rate_are_those_shown_at_each_moment(times_s, fps):
    times_s = np.sort(times_s)
    assert shown_at(times_s, fps).tolist() == slowly(times_s, fps)


def test_every_third_frame_of_thirty_a_second_is_ten_a_second():
    assert shown_at(np.arange(30) / 30, 10.0).tolist() == list(range(1, 30, 3))


def test_without_a_rate_all_frames_are_shown():
    assert shown_at(np.arange(5) / 30, None).tolist() == [0, 1, 2, 3, 4]


def test_a_gap_shows_no_frame_twice():
    assert shown_at(np.array([0.0, 0.1, 2.0, 2.1]), 10.0).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["faces", "body"])
def test_clips_have_their_status_length_and_pictures(tmp_path, name):
    shard = write_shard(tmp_path)
    clips = {clip.clip: clip for clip in picture_clips(shard / f"{name}.h5", None)}
    assert [clip.status for clip in clips.values()] == [OK, OK, OK, OK, NO_FACE if name == "faces" else OK, MISSING]
    assert list(clips) == list(CLIPS)
    assert clips["c_short"].duration_s == pytest.approx(SECONDS["c_short"])
    read, made = clips["c_short"].read(), np.stack(pictures("c_short", FPS[name]))
    assert read.shape == made.shape
    assert np.abs(read.astype(float) - made).mean() < 4  # JPEG
