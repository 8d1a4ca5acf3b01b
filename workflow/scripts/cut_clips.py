"""The first seconds of a shard's videos as small MP4 files, for services that take video."""

from contextlib import closing
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blemore.job import run
from blemore.media.audio import NoAudio, read_sound_of
from blemore.media.clips import AUDIO_RATE_HZ, write_mp4
from blemore.media.shard import finish_folder, new_folder, pair_videos, process_clips
from blemore.media.video import DecodeError, iter_video
from blemore.memory import keep_freed_memory
from blemore.stores import OK, PARTIAL, TOO_SHORT, provenance

PACKAGES = ("av",)


def main(snakemake) -> None:
    keep_freed_memory()
    params = snakemake.params
    seconds, fps = params.cfg["seconds"], params.cfg["fps"]
    encoding = {name: params.cfg[name] for name in ("fps", "max_height", "crf", "audio_bitrate")}
    folder = new_folder(snakemake.output.store)

    def cut(clip: str, video: Path) -> tuple[int, int]:
        stream = iter_video(video, fps)
        with closing(iter(stream)) as frames:  # closed, it has stopped decoding ahead, and `damaged` is final
            first = next(frames, None)
            if first is None:
                return TOO_SHORT, 0
            samples, damaged = sound_of(video, stream.source.start_s, Fraction(seconds))
            pixels = (frame.pixels for frame in islice(chain([first], frames), max(1, round(seconds * fps))))
            count = write_mp4(folder / f"{clip}.mp4", pixels, samples, **encoding)
        return PARTIAL if damaged or stream.source.damaged else OK, count

    statuses = process_clips(pair_videos(params.clips, snakemake.input.videos), cut)
    finish_folder(folder, ".mp4", statuses, provenance(params, {}, PACKAGES))


def sound_of(video: Path, start_s: Fraction, duration_s: Fraction) -> tuple[NDArray[np.float32] | None, bool]:
    """The sound of the first seconds, None where there is none that decodes; and whether something of it is damaged."""
    try:
        sound = read_sound_of(video, AUDIO_RATE_HZ, start_s, duration_s)
    except NoAudio:
        return None, False
    except DecodeError as error:
        print(f"{video}: the sound is left out, {error}.")
        return None, True
    return sound.samples, sound.damaged


if __name__ == "__main__":
    run(main, snakemake)
