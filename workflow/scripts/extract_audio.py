"""The sound of a shard's videos, mono, aligned with the pictures, as FLAC of 24 bits."""

import io
from pathlib import Path

import soundfile

from blemore.job import run
from blemore.media.audio import read_sound
from blemore.media.shard import finish_folder, new_folder, pair_videos, process_clips
from blemore.stores import OK, PARTIAL, TOO_SHORT, provenance

PACKAGES = ("av", "soundfile")


def main(snakemake) -> None:
    params = snakemake.params
    sample_rate_hz = params.cfg["sample_rate_hz"]
    folder = new_folder(snakemake.output.store)
    duration_s, gain = {}, {}

    def extract(clip: str, video: Path) -> tuple[int, int]:
        sound = read_sound(video, sample_rate_hz)
        if not len(sound.samples):
            return TOO_SHORT, 0
        flac = io.BytesIO()  # libsndfile says nothing of a disk that is full
        soundfile.write(flac, sound.samples, sample_rate_hz, subtype="PCM_24", format="FLAC")
        (folder / f"{clip}.flac").write_bytes(flac.getvalue())
        duration_s[clip], gain[clip] = len(sound.samples) / sample_rate_hz, sound.gain
        return PARTIAL if sound.damaged else OK, 0

    statuses = process_clips(pair_videos(params.clips, snakemake.input.videos), extract)
    finish_folder(folder, ".flac", statuses, provenance(params, {}, PACKAGES), duration_s=duration_s, gain=gain)


if __name__ == "__main__":
    run(main, snakemake)
