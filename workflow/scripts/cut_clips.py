"""The first seconds of a shard's videos as small MP4 files, for services that take video."""

from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blemore.job import run
from blemore.media.audio import NoAudio, read_sound
from blemore.media.clips import AUDIO_RATE_HZ, write_mp4
from blemore.media.shard import finish_folder, new_folder, pair_videos, process_clips
from blemore.media.video import DecodeError, iter_video
from blemore.stores import OK, PARTIAL, TOO_SHORT, provenance

PACKAGES = ("av",)


def main(snakemake) -> None:
    params = snakemake.params
    fps, encoding = params.cfg["fps"], {name: params.cfg[name] for name in ("fps", "max_height", "crf", "audio_bitrate")}
    folder = new_folder(snakemake.output.store)

    def cut(clip: str, video: Path) -> int:
        stream = iter_video(video, fps)
        frames = [frame.pixels for frame in islice(stream, round(params.cfg["seconds"] * fps))]
        if not frames:
            return TOO_SHORT
        samples, damaged = first_sound(video, len(frames) / fps)
        write_mp4(folder / f"{clip}.mp4", frames, samples, **encoding)
        return PARTIAL if damaged or stream.source.damaged else OK

    statuses = process_clips(pair_videos(params.clips, snakemake.input.videos), cut)
    finish_folder(folder, ".mp4", statuses, provenance(params, {}, PACKAGES))


def first_sound(video: Path, duration_s: float) -> tuple[NDArray[np.float32] | None, bool]:
    """The first seconds of sound, None where there is none that decodes; and whether something of it is damaged."""
    try:
        sound = read_sound(video, AUDIO_RATE_HZ)
    except NoAudio:
        return None, False
    except DecodeError as error:
        print(f"{video}: the sound is left out, {error}.")
        return None, True
    return sound.samples[: round(duration_s * AUDIO_RATE_HZ)], sound.damaged


if __name__ == "__main__":
    run(main, snakemake)
