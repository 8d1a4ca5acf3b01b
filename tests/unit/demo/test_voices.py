import numpy as np
import pytest
from design import FPS, PARAMETERS, SEEN, generator
from voices import BURST_OCTAVES, BURSTS_HZ, LOUDNESS_DB, PITCH_OCTAVES, SAMPLE_RATE_HZ, draw_voice, speak

from blemore.locked_librosa import librosa

VOICES = [("f", 0), ("m", 1), ("f", 2)]


def spoken(gender, actor, n_frames=50, **parameters):
    values = [parameters.get(name, 0.0) for name in PARAMETERS]
    return speak(draw_voice(generator(1, 7, actor), gender), np.tile(values, (n_frames, 1)), generator(1, 8, actor))


def median_f0_hz(wave):
    f0_hz, voiced, _ = librosa.pyin(librosa.resample(wave, orig_sr=SAMPLE_RATE_HZ, target_sr=16_000), fmin=65, fmax=600, sr=16_000)
    return np.median(f0_hz[voiced])


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("pitch", [-1.0, 1.0])
def test_f0_follows_pitch(voice, pitch):
    octaves = np.log2(median_f0_hz(spoken(*voice, pitch=pitch)) / median_f0_hz(spoken(*voice)))
    assert octaves == pytest.approx(PITCH_OCTAVES * pitch, abs=0.08)


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("loudness", [-1.0, 1.0])
def test_level_follows_loudness(voice, loudness):
    levels_db = [10 * np.log10(np.mean(np.square(spoken(*voice, loudness=value), dtype=float))) for value in (loudness, 0)]
    assert levels_db[0] - levels_db[1] == pytest.approx(LOUDNESS_DB * loudness, abs=0.2)


@pytest.mark.parametrize("burst_rate", [-1.0, 0.0, 1.0])
def test_rhythm_follows_burst_rate(burst_rate):
    wave = spoken("m", 1, n_frames=200, burst_rate=burst_rate)
    energy = np.square(wave, dtype=float).reshape(-1, SAMPLE_RATE_HZ // 100).mean(axis=1)
    spectrum = np.abs(np.fft.rfft(energy - energy.mean()))
    assert np.fft.rfftfreq(len(energy), 0.01)[spectrum.argmax()] == pytest.approx(BURSTS_HZ * 2 ** (BURST_OCTAVES * burst_rate), abs=0.15)


@pytest.mark.parametrize("value", [-2.0, 2.0])
@pytest.mark.parametrize("n_frames", [25, 41])
def test_extreme_voices_are_finite_in_range_and_as_long_as_the_video(value, n_frames):
    wave = spoken("m", 1, n_frames, pitch=value, loudness=value, burst_rate=value)
    assert len(wave) == n_frames / FPS * SAMPLE_RATE_HZ
    assert wave.dtype == np.float32
    assert np.isfinite(wave).all()
    assert 0.001 < np.abs(wave).max() <= 1


@pytest.mark.parametrize("name", SEEN)
def test_what_is_seen_is_not_heard(name):
    assert np.array_equal(spoken("f", 0), spoken("f", 0, **{name: 1.0}))
