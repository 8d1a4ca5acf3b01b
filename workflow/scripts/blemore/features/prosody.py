"""Pitch, loudness, timbre and rhythm without weights: the floor that learned audio features must beat."""

import numpy as np
from numpy.typing import NDArray

from blemore.features.extraction import TooShort
from blemore.locked_librosa import librosa

WIDTH = 6
FRAME_S = 0.064
SILENCE = 1e-5


def prosody_frames(waveform: NDArray[np.float32], sample_rate_hz: int, f0_min_hz: float, f0_max_hz: float, hop_s: float) -> NDArray[np.float32]:
    """Six descriptors over time: F0, voicing, RMS, spectral centroid, zero crossings, onset rate.

    Args:
        waveform: mono audio, shape (n,).
        hop_s: seconds between frames.

    Returns:
        Shape (t, 6): F0 in semitones above `f0_min_hz` (0 where unvoiced), probability of voicing, RMS in dB above -100 dB,
        spectral centroid in Hz, zero crossings per second, onsets per second (its mean over time is the onset rate).
        Digital silence gives finite values.

    Raises:
        TooShort: if the audio is shorter than one analysis frame (64 ms).

    Source: librosa; F0 by probabilistic YIN (Mauch and Dixon, 2014).
    """
    frame, hop = int(FRAME_S * sample_rate_hz), int(hop_s * sample_rate_hz)
    if len(waveform) < frame:
        raise TooShort(f"{len(waveform)} samples are less than one frame of {frame}")
    f0_hz, _, voicing = librosa.pyin(waveform, fmin=f0_min_hz, fmax=f0_max_hz, sr=sample_rate_hz, frame_length=frame, hop_length=hop, resolution=0.5)
    semitones = np.nan_to_num(12 * np.log2(f0_hz / f0_min_hz))
    rms = librosa.feature.rms(y=waveform, frame_length=frame, hop_length=hop)[0]
    centroid_hz = librosa.feature.spectral_centroid(y=waveform, sr=sample_rate_hz, n_fft=frame, hop_length=hop)[0]
    crossings = librosa.feature.zero_crossing_rate(waveform, frame_length=frame, hop_length=hop)[0] * sample_rate_hz
    columns = [semitones, voicing, 20 * np.log10(np.maximum(rms, SILENCE)) + 100, centroid_hz, crossings, onsets(waveform, sample_rate_hz, hop, len(rms))]
    return np.stack(columns, axis=1).astype(np.float32)


def onsets(waveform: NDArray[np.float32], sample_rate_hz: int, hop: int, length: int) -> NDArray[np.float64]:
    """Frames per second at each onset, 0 elsewhere, shape (length,): the mean over time is onsets per second."""
    found = librosa.onset.onset_detect(y=waveform, sr=sample_rate_hz, hop_length=hop)
    rate = np.zeros(length)
    rate[found[found < length]] = sample_rate_hz / hop
    return rate
