"""Frames of a shard at a low rate, cut to the tracked person, with the box of the face in each."""

from pathlib import Path

import numpy as np

from blemore.job import run
from blemore.media.body import person_crop, within
from blemore.media.frames import encode_jpeg
from blemore.media.images import shrink
from blemore.media.shard import finish_store, new_store, pair_videos, process_clips, write_clip
from blemore.media.tracks import boxes_at, no_face, read_fps, read_track
from blemore.media.video import iter_video
from blemore.memory import keep_freed_memory
from blemore.stores import OK, PARTIAL, TOO_SHORT, provenance

PACKAGES = ("av", "opencv-python-headless")


def main(snakemake) -> None:
    keep_freed_memory()
    cfg, track = snakemake.params.cfg, snakemake.input.track
    track_fps = read_fps(track)

    def sample(clip: str, video: Path) -> tuple[int, int]:
        stream, (_, face) = iter_video(video, cfg["fps"]), read_track(track, clip)
        centred_on = face.boxes if cfg["crop"] == "person" else no_face(0).boxes
        crop, scale = (0, 0, 0, 0), 1.0
        jpeg, timestamps_s = [], []
        for frame in stream:
            if not jpeg:
                crop = person_crop(centred_on, frame.pixels.shape[:2], cfg["face_heights"])
            left, top, right, bottom = crop
            small = shrink(frame.pixels[top:bottom, left:right], cfg["short_side"] / min(bottom - top, right - left))
            scale = small.shape[0] / (bottom - top)
            jpeg.append(encode_jpeg(small, cfg["quality"]))
            timestamps_s.append(frame.timestamp_s)
        times_s = np.array(timestamps_s)
        write_clip(store, clip, jpeg=jpeg, timestamps_s=times_s, boxes=within(boxes_at(face, times_s, track_fps), crop, scale))
        if not jpeg:
            return TOO_SHORT, 0
        return PARTIAL if stream.source.damaged else OK, len(jpeg)

    with new_store(snakemake.output.store) as store:
        statuses = process_clips(pair_videos(snakemake.params.clips, snakemake.input.videos), sample)
        finish_store(store, statuses, provenance(snakemake.params, {"track": track}, PACKAGES))


if __name__ == "__main__":
    run(main, snakemake)
