"""Open embedders of short videos, in the place of a paid one: X-CLIP sees, PE-AV sees and hears."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from blemore.features.checkpoints import load_model
from blemore.features.extraction import MediaClip
from blemore.features.image import image_processor
from blemore.features.parts import clip_seconds
from blemore.media.audio import NoAudio, read_audio
from blemore.media.shard import read_folder
from blemore.media.video import read_video
from blemore.stores import STATUSES, USABLE

SOUND_RATE_HZ = 48000
PICTURES = 16  # that PE-AV looks at where its checkpoint states no number


class Recording(NamedTuple):
    """Pictures and sound of one clip of the media stage."""

    frames: NDArray[np.uint8]  # RGB (t, h, w, 3)
    sound: NDArray[np.float32]  # mono at SOUND_RATE_HZ, (n,); silence where the clip has none


class XClip:
    """One vector of the pictures, by the checkpoint's number of them, evenly spread.

    Args:
        folder: a local checkpoint in the Hugging Face layout, with its `preprocessor_config.json`.

    Source: arXiv:2208.02816.
    """

    def __init__(self, folder: str | Path, precision: str = "float32", device: str = "cpu") -> None:
        self._prepare = image_processor(folder)
        self._model = load_model(folder, "xclip", {"xclip": "x_clip.modeling_x_clip.XCLIPModel"}, precision, device)
        self.width: int = self._model.config.projection_dim

    @torch.inference_mode()
    def __call__(self, recording: Recording) -> tuple[NDArray[np.float32], int]:
        """The vector (width,), and how many pictures it is of."""
        frames = evenly(recording.frames, self._model.config.vision_config.num_frames)
        pixels = self._prepare(frames).to(self._model.device, self._model.dtype)
        return self._model.get_video_features(pixels[None]).pooler_output[0].float().cpu().numpy(), len(frames)


class PeAudioVideo:
    """One vector of pictures and sound together (Perception Encoder Audiovisual); arguments as of `XClip`.

    Source: the model's page on the hub, facebook/pe-av-large.
    """

    def __init__(self, folder: str | Path, precision: str = "float32", device: str = "cpu") -> None:
        from transformers import PeAudioFeatureExtractor, PeAudioVideoModel, PeVideoVideoProcessor

        _untie_rotations(PeAudioVideoModel)
        self._see = PeVideoVideoProcessor.from_pretrained(folder, local_files_only=True)
        self._hear = PeAudioFeatureExtractor.from_pretrained(folder, local_files_only=True)
        classes = {"pe_audio_video": "pe_audio_video.modeling_pe_audio_video.PeAudioVideoModel"}
        self._model = load_model(folder, "pe_av", classes, precision, device)
        self.width: int = self._model.config.text_config.hidden_size

    @torch.inference_mode()
    def __call__(self, recording: Recording) -> tuple[NDArray[np.float32], int]:
        """The vector (width,), and how many pictures it is of."""
        frames = evenly(recording.frames, self._see.num_frames or PICTURES)
        pixels = self._see(videos=[frames], do_sample_frames=False, return_tensors="pt")["pixel_values_videos"]
        sound = self._hear(recording.sound, sampling_rate=SOUND_RATE_HZ, return_tensors="pt")["input_values"]
        inputs = {"pixel_values_videos": pixels, "input_values": sound}
        embedded = self._model.get_audio_video_embeds(**{name: values.to(self._model.device, self._model.dtype) for name, values in inputs.items()})
        return embedded.audio_video_embeds[0].float().cpu().numpy(), len(frames)


def _untie_rotations(cls: Any) -> None:
    """Lets transformers 5.23 load PE-AV beside timm 1.0.31, whose rotations have one buffer more, which it takes for a parameter to tie."""

    def without_rotations(pattern: str) -> str:
        return pattern.replace(r"|.*\.rope\.pos_embed", r"|.*\.rope\.")

    cls._tied_weights_keys = {without_rotations(tied): without_rotations(source) for tied, source in cls._tied_weights_keys.items()}


ENCODERS: dict[str, Callable[..., Any]] = {"xclip": XClip, "pe_av": PeAudioVideo}


def evenly(frames: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """The middle frames of `count` equal parts of a clip; a clip of fewer shows some twice."""
    return frames[((np.arange(count) + 0.5) * len(frames) / count).astype(int)]


def recordings(folder: str | Path, fps: int) -> Iterator[MediaClip]:
    """Every MP4 clip of a shard with its status, in the order of the manifest; what it reads is a Recording.

    Args:
        fps: of the clips.
    """
    manifest = read_folder(folder, ".mp4")
    for clip in manifest["clips"]:
        status, path = STATUSES.index(manifest["status"][clip]), Path(folder) / f"{clip}.mp4"
        yield MediaClip(clip, status, clip_seconds(path) if status in USABLE else np.nan, partial(_read, path, fps))


def _read(path: Path, fps: int) -> Recording:
    frames = read_video(path, fps).frames
    try:
        sound = read_audio(path, SOUND_RATE_HZ)
    except NoAudio:
        sound = np.zeros(round(len(frames) / fps * SOUND_RATE_HZ), np.float32)
    return Recording(frames, sound)
