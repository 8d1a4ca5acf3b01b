"""Whole frames of a shard at a low rate, with the box of the tracked person's face in each."""

from pathlib import Path

import numpy as np

from blemore.job import run
from blemore.media.frames import encode_jpeg
from blemore.media.images import shrink
from blemore.media.shard import finish_store, new_store, pair_videos, process_clips, write_clip
from blemore.media.tracks import boxes_at, read_fps, read_track
from blemore.media.video import iter_video
from blemore.stores import OK, PARTIAL, TOO_SHORT, provenance

PACKAGES = ("av", "opencv-python-headless")


def main(snakemake) -> None:
    params = snakemake.params
    track_fps = read_fps(snakemake.input.track)

    def sample(clip: str, video: Path) -> int:
        stream = iter_video(video, params.cfg["fps"])
        jpeg, timestamps_s, scale = [], [], 1.0
        for frame in stream:
            small = shrink(frame.pixels, params.cfg["short_side"] / min(frame.pixels.shape[:2]))
            scale = small.shape[0] / frame.pixels.shape[0]
            jpeg.append(encode_jpeg(small, params.cfg["quality"]))
            timestamps_s.append(frame.timestamp_s)
        _, face = read_track(snakemake.input.track, clip)
        times_s = np.array(timestamps_s)
        write_clip(store, clip, jpeg=jpeg, timestamps_s=times_s, boxes=boxes_at(face, times_s, track_fps) * np.float32(scale))
        if not jpeg:
            return TOO_SHORT
        return PARTIAL if stream.source.damaged else OK

    with new_store(snakemake.output.store) as store:
        statuses = process_clips(pair_videos(params.clips, snakemake.input.videos), sample)
        finish_store(store, statuses, provenance(params, {"track": snakemake.input.track}, PACKAGES))


if __name__ == "__main__":
    run(main, snakemake)
