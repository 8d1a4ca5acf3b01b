"""Boxes, landmarks and probability of one person's face in every frame of a shard's videos."""

from pathlib import Path

from blemore.job import run
from blemore.media.faces import TrackSettings, track_face
from blemore.media.shard import finish_store, new_store, pair_videos, process_clips, write_clip
from blemore.media.video import iter_video
from blemore.stores import NO_FACE, OK, PARTIAL, TOO_SHORT, provenance

PACKAGES = ("av", "facenet-pytorch", "opencv-python-headless", "scipy", "torch", "torchvision")


def main(snakemake) -> None:
    params = snakemake.params
    settings = TrackSettings(**params.cfg)

    def track(clip: str, video: Path) -> int:
        stream = iter_video(video, settings.fps)
        face = track_face((frame.pixels for frame in stream), settings, params.runtime["device"])
        write_clip(store, clip, **face._asdict())
        if not len(face.detected):
            return TOO_SHORT
        if not face.detected.any():
            return NO_FACE
        return PARTIAL if stream.source.damaged else OK

    with new_store(snakemake.output.store) as store:
        store.attrs["fps"] = settings.fps
        statuses = process_clips(pair_videos(params.clips, snakemake.input.videos), track)
        finish_store(store, statuses, provenance(params, {}, PACKAGES))


if __name__ == "__main__":
    run(main, snakemake)
