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


def audio_clips(folder: str | Path) -> Iterator[MediaClip]:
    """Every clip of a shard with the status of its audio, in the order of the manifest."""
    manifest = read_manifest(folder)
    for clip in manifest["clips"]:
        status = STATUSES.index(manifest["status"][clip])
        yield MediaClip(
            clip, status, manifest["duration_s"].get(clip, np.nan), partial(read_flac, Path(folder) / f"{clip}.flac", manifest["duration_s"].get(clip))
        )


def read_flac(path: Path, duration_s: float) -> NDArray[np.float32]:
    """Mono audio, shape (n,), in [-1, 1].

    Raises:
        BadInput: if the file is damaged, or not as long as the manifest says.
    """
    try:
        samples, sample_rate_hz = soundfile.read(path, dtype="float32")
    except (OSError, soundfile.SoundFileError) as error:
        raise BadInput(f"{path} cannot be read ({error}); delete {path.parent} and its manifest and run again.") from None
    if len(samples) != round(duration_s * sample_rate_hz):
        raise BadInput(f"{path} lasts {len(samples) / sample_rate_hz:.3f} s, not {duration_s:.3f} s; delete {path.parent} and its manifest and run again.")
    return samples
