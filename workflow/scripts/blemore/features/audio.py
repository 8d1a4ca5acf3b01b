"""The audio of a shard's clips, as the media stage left it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from blemore.features.extraction import MediaClip
from blemore.stores import STATUSES, read_manifest


def audio_clips(folder: str | Path) -> Iterator[MediaClip]:
    """Every clip of a shard with the status of its audio, in the order of the manifest."""
    manifest = read_manifest(folder)
    for clip in manifest["clips"]:
        status = STATUSES.index(manifest["status"][clip])
        yield MediaClip(clip, status, manifest["duration_s"].get(clip, np.nan), partial(read_flac, Path(folder) / f"{clip}.flac"))


def read_flac(path: Path) -> NDArray[np.float32]:
    """Mono audio, shape (n,), in [-1, 1]."""
    return soundfile.read(path, dtype="float32")[0]
