"""Requests to the embedding API: what identifies one, where its reply is kept, what it costs. Standard library only, because Snakemake parses with it."""

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from blemore.settings import json_sha256, sha256

FULL_DIMENSION = 3072
SAMPLED_FPS = 1  # frames per second that the service looks at
MOST_FRAMES = 32
# https://ai.google.dev/gemini-api/docs/pricing, Gemini Embedding 2 without batch.
DOLLARS_PER_FRAME = 0.00079
DOLLARS_PER_SOUND_S = 0.00016
BASE_URLS = {"developer": "GOOGLE_GEMINI_BASE_URL", "vertex": "GOOGLE_VERTEX_BASE_URL"}


class Estimate(NamedTuple):
    """What a number of requests costs at most: shorter clips cost less."""

    requests: int
    frames: int
    dollars: float


def api_key() -> str:
    """The key as google-genai looks for it; empty if there is none."""
    return (os.environ.get("GOOGLE_API_KEY") or os.environ.get("GEMINI_API_KEY") or "").strip()


def endpoint(platform: str) -> str:
    """`google`, or the name of the variable that sends requests elsewhere: replies of a stand-in must never pass for the service's."""
    return BASE_URLS[platform] if os.environ.get(BASE_URLS[platform]) else "google"


def describe_request(source_sha256: str, cut: Mapping[str, Any], encoder: Mapping[str, Any]) -> dict[str, Any]:
    """All that determines the reply for one clip. Not the encoded bytes, which differ between machines.

    Args:
        source_sha256: of the video that the clip was cut from.
        cut: the block `media.clips`.
        encoder: settings of the encoder.
    """
    parts = {name: encoder[name] for name in ("frames_per_second", "instruction", "sound")}
    where = endpoint(encoder["platform"])
    return {"source_sha256": source_sha256, "cut": dict(cut), "model": encoder["model"], "parts": parts, "dimension": FULL_DIMENSION, "endpoint": where}


def reply_path(folder: str | Path, request: Mapping[str, Any]) -> Path:
    """Where the reply to a request is kept."""
    return Path(folder) / f"{json_sha256(request)}.json"


def sampled_frames(seconds: float, frames_per_second: float) -> int:
    """Frames that the service looks at in a clip of so many seconds that is slowed down to show so many of them per second."""
    return min(MOST_FRAMES, math.ceil(seconds * frames_per_second * SAMPLED_FPS))


def estimate(clips: int, cut: Mapping[str, Any], encoder: Mapping[str, Any]) -> Estimate:
    """What so many clips cost; arguments as in `describe_request`."""
    frames = clips * sampled_frames(cut["seconds"], encoder["frames_per_second"])
    sound_s = clips * cut["seconds"] * encoder["sound"]
    return Estimate(clips, frames, frames * DOLLARS_PER_FRAME + sound_s * DOLLARS_PER_SOUND_S)


def unanswered(videos: Iterable[Path], cut: Mapping[str, Any], encoder: Mapping[str, Any], folder: str | Path) -> list[Path]:
    """The videos to whose clips no reply is kept."""
    return [video for video in videos if not reply_path(folder, describe_request(sha256(video), cut, encoder)).is_file()]


def what_leaves(cut: Mapping[str, Any], encoder: Mapping[str, Any]) -> str:
    """What is sent of each clip, for whoever must agree to it."""
    sound = " and its sound" if encoder["sound"] else ""
    also = " with the instruction" if encoder["instruction"] else ""
    where = endpoint(encoder["platform"])
    whose = "Google's" if where == "google" else f"the server that {where} names, as"
    return f"the first {cut['seconds']:g} s of each video, faces included,{sound}{also} would leave this machine for {whose} {encoder['model']}"
