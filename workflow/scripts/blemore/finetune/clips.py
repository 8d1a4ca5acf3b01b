"""The media of all clips, read by worker processes: one random view of each clip per epoch, or all views that are evaluated."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from blemore.features.audio import read_flac
from blemore.finetune.pictures import Pictures
from blemore.finetune.sampling import even_starts, generator, looped, random_start, spread, window
from blemore.media.frames import choose_frames
from blemore.stores import MISSING, STATUSES, USABLE, read_manifest


class Source(NamedTuple):
    """Where the medium of a clip is, and whether it can be used."""

    clip: str
    store: str  # "" where there is none
    status: int
    duration_s: float

    @property
    def usable(self) -> bool:
        """Whether the clip has anything to be seen or heard."""
        return self.status in USABLE


class Media(Protocol):
    """What a network sees of a clip."""

    equal_lengths: bool  # whether evaluated views of several clips make one batch

    def training(self, source: Source, rng: np.random.Generator) -> torch.Tensor:
        """One random view."""

    def views(self, source: Source) -> torch.Tensor:
        """All views that are evaluated, along the first axis."""


def find_sources(clips: Sequence[str], stores: Sequence[str | Path]) -> list[Source]:
    """The medium of each clip among the stores of all shards; a clip that is in none counts as missing."""
    found: dict[str, Source] = {}
    for store in stores:
        manifest = read_manifest(store)
        durations = manifest.get("duration_s", {})
        found |= {clip: Source(clip, str(store), STATUSES.index(manifest["status"][clip]), durations.get(clip, 0.0)) for clip in manifest["clips"]}
    return [found.get(clip, Source(clip, "", MISSING, 0.0)) for clip in clips]


class Windows:
    """Frames at a fixed distance: faces for S4D-ViTMoE."""

    equal_lengths = True

    def __init__(self, pictures: Pictures, frames: int, stride: int, segments: int) -> None:
        self.pictures, self.frames, self.stride, self.segments = pictures, frames, stride, segments

    def training(self, source: Source, rng: np.random.Generator) -> torch.Tensor:
        """float32 (3, frames, size, size)."""
        cv2.setNumThreads(1)
        frames = choose_frames(
            source.store, source.clip, lambda n_frames: window(n_frames, self.frames, self.stride, random_start(n_frames, self.frames, self.stride, rng))
        )
        return self.pictures.training(frames, rng)

    def views(self, source: Source) -> torch.Tensor:
        """float32 (segments * crops, 3, frames, size, size)."""
        cv2.setNumThreads(1)

        def all_windows(n_frames: int) -> list[int]:
            starts = even_starts(n_frames, self.frames, self.stride, self.segments)
            return [index for start in starts for index in window(n_frames, self.frames, self.stride, start)]

        frames = choose_frames(source.store, source.clip, all_windows)
        return torch.cat([self.pictures.views(frames[start : start + self.frames]) for start in range(0, len(frames), self.frames)])


class Spread:
    """Frames at equal distances over the whole clip: bodies for VideoMAE and TimeSformer."""

    equal_lengths = True

    def __init__(self, pictures: Pictures, frames: int, segments: int) -> None:
        self.pictures, self.frames, self.segments = pictures, frames, segments

    def training(self, source: Source, rng: np.random.Generator) -> torch.Tensor:
        """float32 (3, frames, size, size)."""
        cv2.setNumThreads(1)
        frames = choose_frames(source.store, source.clip, lambda n_frames: spread(n_frames, self.frames, rng.random(self.frames)))
        return self.pictures.training(frames, rng)

    def views(self, source: Source) -> torch.Tensor:
        """float32 (segments * crops, 3, frames, size, size)."""
        cv2.setNumThreads(1)
        offsets = (np.arange(self.segments) + 0.5) / self.segments
        frames = choose_frames(source.store, source.clip, lambda n_frames: [index for offset in offsets for index in spread(n_frames, self.frames, offset)])
        return torch.cat([self.pictures.views(frames[start : start + self.frames]) for start in range(0, len(frames), self.frames)])


class Sound:
    """16 kHz audio for wav2vec2: crops of equal length in training, the whole clip in evaluation, since padding would change what is heard."""

    equal_lengths = False

    def __init__(self, crop_s: float, sample_rate_hz: int) -> None:
        self.length, self.sample_rate_hz = round(crop_s * sample_rate_hz), sample_rate_hz

    def training(self, source: Source, rng: np.random.Generator) -> torch.Tensor:
        """float32 (samples,)."""
        samples = self._read(source)
        start = int(rng.integers(max(len(samples) - self.length, 0) + 1))
        return torch.from_numpy(normalised(looped(samples, self.length, start)))

    def views(self, source: Source) -> torch.Tensor:
        """float32 (1, samples)."""
        return torch.from_numpy(normalised(self._read(source)))[None]

    def _read(self, source: Source) -> NDArray[np.float32]:
        samples = read_flac(Path(source.store) / f"{source.clip}.flac", source.duration_s, self.sample_rate_hz)
        # Less than the 400 samples that one frame of wav2vec2 needs is repeated to them.
        return samples if len(samples) >= 400 else looped(samples, 400, 0)


def normalised(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero mean and unit variance, as the feature extractor of wav2vec2 does."""
    return ((samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)).astype(np.float32)


class TrainingViews(Dataset):
    """(epoch, row) -> a random view and the soft label of the row."""

    def __init__(self, media: Media, sources: Sequence[Source], y: NDArray[np.float32], seed: int) -> None:
        self.media, self.sources, self.y, self.seed = media, list(sources), torch.from_numpy(y), seed

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        epoch, row = key
        source = self.sources[row]
        return self.media.training(source, generator(self.seed, epoch, source.clip)), self.y[row]


class EvaluatedViews(Dataset):
    """Row -> all views of the clip."""

    def __init__(self, media: Media, sources: Sequence[Source]) -> None:
        self.media, self.sources = media, list(sources)

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, row: int) -> torch.Tensor:
        return self.media.views(self.sources[row])


class Batches:
    """The rows of an epoch in random parts of nearly equal size, from the `first` part on."""

    def __init__(self, rows: int, batch_size: int, seed: int) -> None:
        self.rows, self.parts, self.seed = rows, -(-rows // batch_size), seed
        self.epoch, self.first = 1, 0

    def __len__(self) -> int:
        return self.parts - self.first

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.rows)
        for part in np.array_split(order, self.parts)[self.first :]:
            yield [(self.epoch, int(row)) for row in part]


def loader(dataset: Dataset, workers: int, **more: Any) -> DataLoader:
    """A loader whose workers start as processes of their own: a forked one may hang on a lock or file that was open."""
    parallel: dict[str, Any] = {"multiprocessing_context": "spawn", "persistent_workers": True, "prefetch_factor": 4} if workers else {}
    return DataLoader(dataset, num_workers=workers, pin_memory=torch.cuda.is_available(), **parallel, **more)
