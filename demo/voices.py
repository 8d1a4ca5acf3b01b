"""Voices without words: glottal pulses through formants; pitch, loudness and rhythm follow the parameters."""

from typing import NamedTuple

import numpy as np
from design import FPS, HEARD, PARAMETERS
from numpy.typing import NDArray
from scipy.signal import lfilter

SAMPLE_RATE_HZ = 48_000
# Centre and bandwidth of an open vowel's formants (Peterson and Barney 1952, "ah", rounded), in Hz.
FORMANTS_HZ = ((730, 90), (1090, 110), (2440, 170), (3400, 250))
BASE_PITCH_HZ = {"f": 190.0, "m": 140.0}
PITCH_OCTAVES, LOUDNESS_DB, BURST_OCTAVES = 0.6, 6.0, 0.8  # change at parameter 1
LEVEL_DB, BURSTS_HZ, ROOM_DB = -26.0, 3.5, -62.0


class Voice(NamedTuple):
    """One actor's voice."""

    pitch_hz: float
    tract: float  # factor of the formants
    breath: float  # share of noise in the source
    tilt: float  # pole of the glottal low-pass


def draw_voice(rng: np.random.Generator, gender: str) -> Voice:
    """A person's pitch and timbre; women's tracts are shorter, which lifts the formants."""
    pitch_hz = BASE_PITCH_HZ[gender] * 2 ** rng.normal(0, 0.1)
    return Voice(pitch_hz, rng.uniform(0.95, 1.1) * (1.08 if gender == "f" else 0.96), rng.uniform(0.02, 0.08), rng.uniform(0.93, 0.97))


def speak(voice: Voice, course: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """(n,) mono in [-1, 1] at SAMPLE_RATE_HZ, exactly as long as the course (t, 9) of parameters at FPS."""
    n_samples = len(course) * SAMPLE_RATE_HZ // FPS
    time_s = np.arange(n_samples) / SAMPLE_RATE_HZ
    pitch, loudness, burst_rate = (np.interp(time_s, np.arange(len(course)) / FPS, course[:, PARAMETERS.index(name)]) for name in HEARD)
    tone = _through_formants(_source(voice, pitch, rng), voice)
    level_db = LEVEL_DB + LOUDNESS_DB * loudness
    wave = tone / tone.std() * _bursts(burst_rate, rng) * 10 ** (level_db / 20)
    return np.clip(wave + rng.normal(0, 10 ** (ROOM_DB / 20), n_samples), -1, 1).astype(np.float32)


def _source(voice: Voice, pitch: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """One pulse each time the phase of the fundamental wraps, dulled by the glottis, and breath."""
    wander = np.interp(np.linspace(0, 1, len(pitch)), np.linspace(0, 1, 12), rng.normal(0, 0.04, 12))
    f0_hz = voice.pitch_hz * 2 ** (PITCH_OCTAVES * pitch + wander)
    pulses = np.diff(np.floor(np.cumsum(f0_hz) / SAMPLE_RATE_HZ), prepend=0)
    dulled = lfilter([1], [1, -2 * voice.tilt, voice.tilt**2], pulses)
    return dulled / dulled.std() + voice.breath * rng.normal(0, 1, len(pitch))


def _through_formants(source: NDArray[np.float64], voice: Voice) -> NDArray[np.float64]:
    """Cascade of two-pole resonators (Klatt 1980)."""
    for centre_hz, bandwidth_hz in FORMANTS_HZ:
        radius = np.exp(-np.pi * bandwidth_hz / SAMPLE_RATE_HZ)
        cosine = np.cos(2 * np.pi * centre_hz * voice.tract / SAMPLE_RATE_HZ)
        source = lfilter([1 - 2 * radius * cosine + radius**2], [1, -2 * radius * cosine, radius**2], source)
    return source - source.mean()


def _bursts(burst_rate: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Syllable-like loudness, from nearly silent to full."""
    cycles = np.cumsum(BURSTS_HZ * 2 ** (BURST_OCTAVES * burst_rate)) / SAMPLE_RATE_HZ + rng.uniform()
    return 0.03 + 0.97 * np.clip(0.25 + 0.75 * np.sin(2 * np.pi * cycles), 0, 1)
