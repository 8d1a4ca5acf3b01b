import numpy as np
import pytest

from blemore.features.extraction import TooShort
from blemore.features.prosody import WIDTH, prosody_frames

RATE = 16000
SETTINGS = {"sample_rate_hz": RATE, "f0_min_hz": 65.0, "f0_max_hz": 1000.0, "hop_s": 0.01}
TIME_S = np.arange(RATE) / RATE


def tone(hz, amplitude=0.5):
    return (amplitude * sum(np.sin(2 * np.pi * hz * k * TIME_S) / k for k in (1, 2, 3))).astype(np.float32)


def test_one_row_every_hop():
    frames = prosody_frames(tone(220), **SETTINGS)
    assert frames.shape == (101, WIDTH)
    assert frames.dtype == np.float32


@pytest.mark.parametrize("hz", [110.0, 220.0, 440.0])
def test_f0_of_a_known_tone_in_semitones(hz):
    semitones = np.median(prosody_frames(tone(hz), **SETTINGS)[10:-10, 0])
    assert semitones == pytest.approx(12 * np.log2(hz / 65), abs=0.6)


def test_ten_times_the_amplitude_is_twenty_decibels():
    loud, soft = (np.median(prosody_frames(tone(220, a), **SETTINGS)[:, 2]) for a in (0.5, 0.05))
    assert loud - soft == pytest.approx(20, abs=0.1)


def test_zero_crossings_of_a_sine():
    sine = np.sin(2 * np.pi * 300 * TIME_S).astype(np.float32)
    assert np.median(prosody_frames(sine, **SETTINGS)[:, 4]) == pytest.approx(600, abs=20)


def test_the_centroid_of_a_sine_is_its_frequency():
    sine = np.sin(2 * np.pi * 2000 * TIME_S).astype(np.float32)
    assert np.median(prosody_frames(sine, **SETTINGS)[:, 3]) == pytest.approx(2000, rel=0.02)


def test_four_bursts_in_a_second_are_four_onsets_a_second():
    decay = np.exp(-20 * (TIME_S % 0.25)).astype(np.float32)
    onsets_per_second = prosody_frames(tone(220) * decay, **SETTINGS)[:, 5].mean()
    assert onsets_per_second == pytest.approx(4, abs=1.1)


@pytest.mark.filterwarnings("ignore")
def test_digital_silence_is_finite_and_unvoiced():
    frames = prosody_frames(np.zeros(RATE, np.float32), **SETTINGS)
    assert np.isfinite(frames).all()
    assert not frames[:, 0].any()


def test_less_than_a_frame_is_too_short():
    with pytest.raises(TooShort, match="100 samples are less than one frame of 1024"):
        prosody_frames(np.zeros(100, np.float32), **SETTINGS)
