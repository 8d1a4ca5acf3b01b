"""Aligned face crops of a shard, along the track of the person's face."""

from pathlib import Path

import numpy as np

from blemore.job import run
from blemore.media.align import crop_face
from blemore.media.frames import encode_jpeg
from blemore.media.shard import finish_store, new_store, pair_videos, process_clips, write_clip
from blemore.media.tracks import read_fps, read_track
from blemore.media.video import iter_video
from blemore.memory import keep_freed_memory
from blemore.stores import USABLE, provenance

PACKAGES = ("av", "opencv-python-headless")


def main(snakemake) -> None:
    keep_freed_memory()
    params = snakemake.params
    size, margin, quality = (params.cfg[name] for name in ("size", "margin", "quality"))
    fps = read_fps(snakemake.input.track)

    def crop(clip: str, video: Path) -> tuple[int, int]:
        status, face = read_track(snakemake.input.track, clip)
        if status not in USABLE:
            return status, 0
        kept = [
            (encode_jpeg(crop_face(frame.pixels, landmarks, size, margin), quality), frame.timestamp_s, detected)
            for frame, landmarks, detected in zip(iter_video(video, fps), face.landmarks, face.detected, strict=True)
            if np.isfinite(landmarks).all()
        ]
        jpeg, timestamps_s, detected = zip(*kept)
        write_clip(store, clip, jpeg=list(jpeg), timestamps_s=np.array(timestamps_s), detected=np.array(detected))
        return status, len(jpeg)

    with new_store(snakemake.output.store) as store:
        statuses = process_clips(pair_videos(params.clips, snakemake.input.videos), crop)
        finish_store(store, statuses, provenance(params, {"track": snakemake.input.track}, PACKAGES), size=size)


if __name__ == "__main__":
    run(main, snakemake)
