"""The first seconds of a shard's videos as small MP4 files, for services that take video."""

from itertools import islice
from pathlib import Path

from blemore.job import run
from blemore.media.audio import NoAudio, read_audio
from blemore.media.clips import AUDIO_RATE_HZ, write_mp4
from blemore.media.shard import finish_folder, new_folder, pair_videos, process_clips
from blemore.media.video import iter_video
from blemore.stores import OK, TOO_SHORT, provenance

PACKAGES = ("av",)


def main(snakemake) -> None:
    params = snakemake.params
    fps, encoding = params.cfg["fps"], {name: params.cfg[name] for name in ("fps", "max_height", "crf", "audio_bitrate")}
    folder = new_folder(snakemake.output.store)

    def cut(clip: str, video: Path) -> int:
        frames = [frame.pixels for frame in islice(iter_video(video, fps), round(params.cfg["seconds"] * fps))]
        if not frames:
            return TOO_SHORT
        try:
            samples = read_audio(video, AUDIO_RATE_HZ)[: round(len(frames) / fps * AUDIO_RATE_HZ)]
        except NoAudio:
            samples = None
        write_mp4(folder / f"{clip}.mp4", frames, samples, **encoding)
        return OK

    statuses = process_clips(pair_videos(params.clips, snakemake.input.videos), cut)
    finish_folder(folder, ".mp4", statuses, provenance(params, {}, PACKAGES))


if __name__ == "__main__":
    run(main, snakemake)
