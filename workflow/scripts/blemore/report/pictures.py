"""Small pictures of clips: waveform, spectrogram, faces."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from blemore.features.audio import audio_clips
from blemore.locked_librosa import librosa
from blemore.media.frames import encode_jpeg, read_frames
from blemore.media.shard import open_clip
from blemore.report.content import text
from blemore.stores import STATUSES, USABLE, read_manifest

WAVE_POINTS = 160
SPECTROGRAM = (160, 48)  # width, height (mel bands) in pixels
WINDOW = 1024  # samples
DECIBELS = 60  # from the loudest to black
FACES, FACE_PX = 6, 56
JPEG_QUALITY, WEBP_QUALITY = 60, 40


def sound_pictures(folder: str | Path, wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Clip -> waveform and spectrogram as base64, duration and highest frequency, of the wanted clips of a shard's audio that have sound."""
    asked = set(wanted)
    found = {}
    for clip in audio_clips(folder):
        if clip.clip in asked and clip.status in USABLE:
            samples = clip.read()
            sample_rate_hz = round(len(samples) / clip.duration_s)
            webp = cv2.imencode(".webp", spectrogram(samples, sample_rate_hz), [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])[1]
            found[clip.clip] = {
                "duration_s": clip.duration_s,
                "highest_hz": sample_rate_hz // 2,
                "wave": text(waveform(samples).tobytes()),
                "spectrogram": text(webp.tobytes()),
            }
    return found


def waveform(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Highest and lowest sample of each of WAVE_POINTS equal parts, (2, WAVE_POINTS); 0 is −1, 255 is 1."""
    edges = np.linspace(0, len(samples), WAVE_POINTS + 1).astype(int)
    starts = np.minimum(edges[:-1], max(len(samples) - 1, 0))
    extremes = np.stack([np.maximum.reduceat(samples, starts), np.minimum.reduceat(samples, starts)])
    return np.round((np.clip(extremes, -1, 1) + 1) * 127.5).astype(np.uint8)


def spectrogram(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.uint8]:
    """Mel power in decibels below the loudest, low bands at the bottom, as a grey picture of the size SPECTROGRAM."""
    width, height = SPECTROGRAM
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    power = librosa.feature.melspectrogram(y=padded, sr=sample_rate_hz, n_fft=WINDOW, hop_length=max(1, len(padded) // (2 * width)), n_mels=height)
    decibels = librosa.power_to_db(power, ref=np.max, top_db=DECIBELS)
    grey = np.round((decibels + DECIBELS) * 255 / DECIBELS).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(grey[::-1], SPECTROGRAM, interpolation=cv2.INTER_AREA), np.uint8)


def face_strips(store: str | Path, wanted: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Clip -> FACES faces at even intervals, side by side in one JPEG as base64, of the wanted clips that have faces."""
    status = read_manifest(store)["status"]
    clips = [clip for clip in wanted if clip in status and STATUSES.index(status[clip]) in USABLE]
    return {clip: {"faces": text(encode_jpeg(face_strip(read_frames(store, clip, _even(store, clip))), JPEG_QUALITY).tobytes())} for clip in clips}


def face_strip(faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Faces (n, h, w, 3) reduced and side by side."""
    return np.hstack([np.asarray(cv2.resize(face, (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA), np.uint8) for face in faces])


def _even(store: str | Path, clip: str) -> Sequence[int]:
    with open_clip(store, clip) as group:
        return np.linspace(0, len(group["jpeg"]) - 1, FACES).round().astype(int).tolist()
