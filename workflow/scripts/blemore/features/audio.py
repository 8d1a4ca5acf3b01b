"""The audio of a shard's clips, as the media stage left it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from blemore.features.extraction import MediaClip
from blemore.job import BadInput
from blemore.stores import STATUSES, read_manifest


def audio_clips(folder: str | Path, sample_rate_hz: int | None = None) -> Iterator[MediaClip]:
    """Every clip of a shard with the status of its audio, in the order of the manifest; the rate as in `read_flac`."""
    manifest = read_manifest(folder)
    for clip in manifest["clips"]:
        status = STATUSES.index(manifest["status"][clip])
        duration_s = manifest["duration_s"].get(clip, np.nan)
        yield MediaClip(clip, status, duration_s, partial(read_flac, Path(folder) / f"{clip}.flac", duration_s, sample_rate_hz))


def read_flac(path: Path, duration_s: float, needed_rate_hz: int | None) -> NDArray[np.float32]:
    """Mono audio, shape (n,), in [-1, 1].

    Raises:
        BadInput: if the file is damaged, not as long as the manifest says, or of another rate than the one that is needed, if any is.
    """
    try:
        samples, sample_rate_hz = soundfile.read(path, dtype="float32")
    except (OSError, soundfile.SoundFileError) as error:
        raise BadInput(f"{path} cannot be read ({error}); delete {path.parent} and its manifest and run again.") from None
    if sample_rate_hz != (needed_rate_hz or sample_rate_hz):
        raise BadInput(f"{path} has {sample_rate_hz} samples a second, but {needed_rate_hz} are needed; set media.audio.sample_rate_hz to that.")
    if len(samples) != round(duration_s * sample_rate_hz):
        raise BadInput(f"{path} lasts {len(samples) / sample_rate_hz:.3f} s, not {duration_s:.3f} s; delete {path.parent} and its manifest and run again.")
    return samples
