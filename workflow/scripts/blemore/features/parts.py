"""What is sent of one clip: its video, re-timed where more frames are wanted, and its sound."""

import io
import wave
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from blemore.features.sound import SPEECH_RATE_HZ
from blemore.media.audio import NoAudio, read_audio


class Part(NamedTuple):
    """One part of a request's content."""

    data: bytes
    mime_type: str


def clip_parts(clip: str | Path, frames_per_second: float, sound: bool, instruction: str | None) -> list[Part]:
    """Video first, then sound, then the instruction; a clip without sound has no such part.

    Args:
        clip: an MP4 file of the media stage.
        frames_per_second: of the clip's own time; the service samples one frame per second of what it gets. 1 sends the file as it is.
    """
    data = Path(clip).read_bytes() if frames_per_second == 1 else retimed(clip, frames_per_second)
    parts = [Part(data, "video/mp4")]
    if sound and (samples := sound_wav(clip)):
        parts.append(Part(samples, "audio/wav"))
    if instruction:
        parts.append(Part(instruction.encode(), "text/plain"))
    return parts


def retimed(clip: str | Path, factor: float) -> bytes:
    """The pictures of an MP4 file, each shown `factor` times as long, without sound; nothing is encoded again."""
    slowed = io.BytesIO()
    with av.open(str(clip)) as source, av.open(slowed, "w", format="mp4", options={"fflags": "+bitexact"}) as target:
        pictures = source.streams.video[0]
        stream = target.add_stream_from_template(pictures)
        for packet in source.demux(pictures):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts = round(packet.pts * factor), round(packet.dts * factor)
                packet.duration = round((packet.duration or 0) * factor)
                packet.stream = stream
                target.mux(packet)
    return slowed.getvalue()


def sound_wav(clip: str | Path) -> bytes:
    """The sound of a clip as 16-bit WAV at `SPEECH_RATE_HZ`; empty where it has none."""
    try:
        samples = read_audio(clip, SPEECH_RATE_HZ)
    except NoAudio:
        return b""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SPEECH_RATE_HZ)
        writer.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def clip_seconds(clip: str | Path) -> float:
    """Length of an MP4 file's pictures in seconds."""
    with av.open(str(clip)) as container:
        pictures = container.streams.video[0]
        return float((pictures.duration or 0) * (pictures.time_base or 0))
