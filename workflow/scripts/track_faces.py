"""Boxes, landmarks and probability of one person's face in every frame of a shard's videos."""

from pathlib import Path

from blemore.job import run
from blemore.media.cascade import CLIPS_AT_ONCE
from blemore.media.faces import TrackSettings, track_faces
from blemore.media.shard import finish_store, new_store, pair_videos, process_clips, write_clip
from blemore.media.video import Unusable, iter_video
from blemore.memory import keep_freed_memory
from blemore.stores import NO_FACE, OK, PARTIAL, TOO_SHORT, provenance
from blemore.torch_setup import resolve_device

PACKAGES = ("av", "facenet-pytorch", "opencv-python-headless", "scipy", "torch", "torchvision")


def main(snakemake) -> None:
    keep_freed_memory()
    params = snakemake.params
    settings = TrackSettings(**params.cfg)
    videos = pair_videos(params.clips, snakemake.input.videos)
    streams = {clip: iter_video(video, settings.fps) for clip, video in videos.items() if video}
    pictures = ((frame.pixels for frame in stream) for stream in streams.values())
    device, at_once = params.runtime["device"], params.runtime["clips_at_once"]
    tracks = track_faces(pictures, settings, device, at_once or CLIPS_AT_ONCE[resolve_device(device)], readers=snakemake.threads - 1)

    def store_next(clip: str, video: Path) -> tuple[int, int]:
        face = next(tracks)  # they come in the order of the clips
        if isinstance(face, Unusable):
            raise face
        write_clip(store, clip, **face._asdict())
        n_frames = len(face.detected)
        if not n_frames:
            return TOO_SHORT, 0
        if not face.detected.any():
            return NO_FACE, n_frames
        return PARTIAL if streams[clip].source.damaged else OK, n_frames

    with new_store(snakemake.output.store) as store:
        store.attrs["fps"] = settings.fps
        statuses = process_clips(videos, store_next)
        finish_store(store, statuses, provenance(params, {}, PACKAGES))


if __name__ == "__main__":
    run(main, snakemake)
