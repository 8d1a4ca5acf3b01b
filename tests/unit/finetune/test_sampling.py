import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blemore.finetune.sampling import even_starts, generator, last_start, looped, random_start, spread, window

LENGTHS, FRAMES, STRIDES = st.integers(1, 300), st.integers(1, 32), st.integers(1, 8)


@given(LENGTHS, FRAMES, STRIDES, st.integers(0, 2**31))
def test_a_window_that_fits_keeps_its_stride(n_frames, frames, stride, seed):
    start = random_start(n_frames, frames, stride, np.random.default_rng(seed))
    indices = window(n_frames, frames, stride, start)
    assert len(indices) == frames
    assert all(0 <= index < n_frames for index in indices)
    if n_frames > stride * (frames - 1):
        assert indices == list(range(start, start + stride * (frames - 1) + 1, stride))


@given(st.integers(2, 40), st.integers(2, 32))
def test_a_short_clip_never_stops_or_jumps(n_frames, frames):
    assert set(np.abs(np.diff(window(n_frames, frames, 1, 0)))) == {1}


@given(LENGTHS, FRAMES, STRIDES, st.integers(2, 5))
def test_starts_reach_from_the_first_to_the_last(n_frames, frames, stride, segments):
    starts = even_starts(n_frames, frames, stride, segments)
    assert (starts[0], starts[-1]) == (0, last_start(n_frames, frames, stride))
    assert starts == sorted(starts)


def test_two_segments_of_a_clip_of_four_seconds():
    assert even_starts(120, 16, 4, 2) == [0, 59]
    assert even_starts(120, 16, 4, 1) == [29]
    assert window(5, 8, 2, 0) == [0, 2, 4, 2, 0, 2, 4, 2]


@given(LENGTHS, FRAMES, st.floats(0, 0.999))
def test_spread_frames_are_in_order_and_each_in_its_part(n_frames, frames, offset):
    indices = spread(n_frames, frames, offset)
    assert indices == sorted(indices)
    assert all(k * n_frames // frames <= index <= (k + 1) * n_frames / frames for k, index in enumerate(indices))


@given(st.integers(1, 50), st.integers(1, 200), st.integers(0, 49))
def test_looped_sound_has_the_length_and_begins_again(samples, length, start):
    sound = np.arange(samples, dtype=np.float32)
    assert looped(sound, length, start).tolist() == [float((start + k) % samples) for k in range(length)]


def test_random_numbers_depend_on_seed_epoch_and_clip_alone():
    draws = {tuple(generator(*key).random(2)) for key in ((1, 1, "a"), (2, 1, "a"), (1, 2, "a"), (1, 1, "b"))}
    assert len(draws) == 4
    assert generator(1, 1, "a").random() == generator(1, 1, "a").random()
