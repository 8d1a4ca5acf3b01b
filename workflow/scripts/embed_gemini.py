"""Embeddings of one shard's clips by Gemini Embedding 2, over the network."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blemore.features.api_requests import describe_request, endpoint, reply_path, sampled_frames, what_leaves
from blemore.features.gemini import Failed, Service, embed_all, shortened
from blemore.features.parts import Part, clip_parts, clip_seconds
from blemore.job import BadInput, run
from blemore.media.shard import pair_videos, read_folder
from blemore.settings import sha256
from blemore.stores import API_ERROR, STATUSES, USABLE, Features, provenance, write_features

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PACKAGES = ("av", "google-genai", "numpy")
SHOWN = 5


def main(snakemake) -> None:
    params, folder = snakemake.params, Path(snakemake.input.clips)
    cfg, sending = params.cfg, params.sending
    if not sending["confirm_upload"]:
        raise BadInput(f"{what_leaves(params.cut, cfg | sending)}: set confirm_upload: true of this encoder to agree.")
    manifest = read_folder(folder, ".mp4")
    status = {clip: STATUSES.index(manifest["status"][clip]) for clip in manifest["clips"]}
    videos = pair_videos(params.clips, snakemake.input.videos)
    described = {clip: describe_request(sha256(videos[clip]), params.cut, cfg | sending) for clip in status if status[clip] in USABLE}
    requests = {clip: (reply_path(params.runtime["api_replies"], request), request) for clip, request in described.items()}

    def parts(clip: str) -> list[Part]:
        return clip_parts(folder / f"{clip}.mp4", cfg["frames_per_second"], cfg["sound"], cfg["instruction"])

    service = partial(Service, cfg["model"], sending["platform"], sending["timeout_s"], sending["patience_s"])
    outcomes = embed_all(requests, parts, service, sending["concurrency"])
    refuse_failed({clip: error for clip, error in outcomes.items() if isinstance(error, Failed)}, len(requests), cfg["accept_failed"])
    status |= {clip: API_ERROR for clip, outcome in outcomes.items() if isinstance(outcome, ValueError)}
    attributes = provenance(params, {"clips": folder}, PACKAGES, endpoint=endpoint(sending["platform"]), cut=params.cut)
    write_features(snakemake.output.store, as_features(outcomes, status, params.actors, folder, cfg), attributes)


def refuse_failed(failed: Mapping[str, Failed], asked: int, accepted: bool) -> None:
    """A failure that may pass is no result: the shard fails, its replies are kept, and the next run asks for the rest."""
    if failed and not accepted:
        listed = "; ".join(f"{clip}: {error}" for clip, error in list(failed.items())[:SHOWN])
        more = f"; and {len(failed) - SHOWN} more, in the log" if len(failed) > SHOWN else ""
        raise BadInput(
            f"{len(failed)} of {asked} clips got no embedding ({listed}{more}); run again and only these are asked for, since the other replies are kept, "
            "or set accept_failed: true of this encoder to write them as api_error."
        )


def as_features(outcomes: Mapping[str, Any], status: Mapping[str, int], actors: Mapping[str, str], folder: Path, cfg: Mapping[str, Any]) -> Features:
    """Rows in the order of `status`; NaN where there is no embedding."""
    embedding = np.full((len(status), cfg["dimension"]), np.nan, np.float32)
    seconds, frames = np.full(len(status), np.nan), np.zeros(len(status), np.int64)
    for row, clip in enumerate(status):
        if status[clip] in USABLE:
            embedding[row] = shortened(outcomes[clip], cfg["dimension"])
            seconds[row] = clip_seconds(folder / f"{clip}.mp4")
            frames[row] = sampled_frames(seconds[row], cfg["frames_per_second"])
    statuses = np.array(list(status.values()), np.uint8)
    return Features(embedding, list(status), statuses, [actors[clip] for clip in status], np.zeros(len(status)), seconds, frames)


if __name__ == "__main__":
    run(main, snakemake)
