"""What `snakemake check` prints: every encoder's state, the data, and what a run is expected to cost."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from blemore.configuration import CONCATENATION, active_ensembles, encoders_of, parts_of
from blemore.data.catalogue import Catalogue, existing_sheets, missing_videos_paragraph
from blemore.data.validation import validate
from blemore.features.api_requests import Estimate, estimate, unanswered, what_leaves
from blemore.features.kinds import FINE_TUNED, IMAGE, OWN_HEAD, SPEECH, VIDEO
from blemore.features.readiness import STORED, Readiness, manifest_of, readiness
from blemore.finetune.hours import hours_of_one_core
from blemore.job import BadInput
from blemore.prediction.new_clips import catalogue_of
from blemore.prediction.system import state


class Cost(NamedTuple):
    """What one clip takes."""

    seconds: float  # of one core
    megabytes: float  # on disk


# Measured on 2 cores with clips of 4 s, extract_audio at 720p to 1080p; an mlp_1024 on 7,168 numbers of 1,470 clips takes 0.7 s an epoch.
COSTS = {
    "extract_audio": Cost(0.4, 0.12),
    "cut_clips": Cost(0.6, 0.2),
    **dict.fromkeys(SPEECH, Cost(1.1, 0.06)),
    "clip": Cost(4.1, 0.02),
    **dict.fromkeys(("dinov2", "dinov3", "siglip2"), Cost(18.0, 0.02)),
    "xclip": Cost(0.8, 0.003),
    "pe_av": Cost(2.0, 0.003),  # a guess: its real size was not run
    "videoswin": Cost(9.2, 0.03),
    "track_faces": Cost(3.0, 0.01),
    "crop_faces": Cost(1.5, 1.4),
    "sample_body_frames": Cost(1.2, 1.0),
    "prosody": Cost(0.1, 0.001),
    "gemini": Cost(0.05, 0.08),
    "provided": Cost(0.01, 0.04),
    "probabilities": Cost(0.001, 0.0005),
    "external": Cost(5.0, 0.04),  # a guess: it is not ours
    CONCATENATION: Cost(0.001, 0.06),
    **dict.fromkeys(FINE_TUNED, Cost(0.0, 0.001)),  # their time depends on their settings
}
HEAD_S = 0.7 * 150  # training of one head on one fold until 80 epochs bring nothing better
MEDIA_OF_KIND = {
    **dict.fromkeys((*IMAGE, "videoswin"), ()),  # depends on their frames
    **dict.fromkeys((*SPEECH, "prosody"), ("extract_audio",)),
    **dict.fromkeys((*VIDEO, "gemini"), ("cut_clips",)),
    "s4d": ("track_faces", "crop_faces"),
    **dict.fromkeys(("videomae", "timesformer"), ("track_faces", "sample_body_frames")),
    "wav2vec2_finetuned": ("extract_audio",),
    **dict.fromkeys(("provided", "probabilities"), ()),
    "external": (),  # depends on its inputs
    CONCATENATION: (),
}
MEDIA_OF_INPUT = {
    "videos": (),
    "faces": ("track_faces", "crop_faces"),
    "body": ("track_faces", "sample_body_frames"),
    "audio": ("extract_audio",),
    "clips": ("cut_clips",),
}


def report(config: Mapping[str, Any]) -> str:
    """The table of encoders, then the data, then cost; complete also where no data set is there."""
    catalogue, missing = _catalogue(config)
    known = state if config["predict"]["system"] else readiness
    states = [known(name, config, catalogue) for name in config["encoders"]]
    sections = [_encoder_lines(states, config), _data_lines(catalogue, missing, states, config)]
    if catalogue:
        sections.append(_cost_lines(catalogue, states, config))
        sections.append(_sheet_problems(catalogue) if not config["predict"]["system"] else iter(()))
    return "\n\n".join(text for lines in sections if (text := "\n".join(lines))) + "\n"


def _catalogue(config: Mapping[str, Any]) -> tuple[Catalogue | None, str]:
    catalogue, sheet = catalogue_of(config), config["data"]["train_sheet"]
    try:
        return (catalogue, "") if catalogue.clips else (None, f"{sheet} names no clip; add some, or name another sheet in data.train_sheet.")
    except BadInput as error:
        return None, str(error)


def _sheet_problems(catalogue: Catalogue) -> Iterator[str]:
    try:
        validate(catalogue)
    except BadInput as error:
        yield str(error)


def _encoder_lines(states: Sequence[Readiness], config: Mapping[str, Any]) -> Iterator[str]:
    kinds = {name: encoder["kind"] for name, encoder in encoders_of(config).items()}
    rows = [(one.encoder, kinds[one.encoder], one.state, "-" if one.clips is None else str(one.clips), one.detail) for one in states]
    yield from table([("encoder", "kind", "state", "clips", "detail"), *rows])
    blocked = sum(one.blocks_run for one in states)
    rule = {"error": "a run stops before its first job (missing_encoders: error)", "skip": "a run leaves the others out (missing_encoders: skip)"}
    yield f"{len(states) - blocked} of {len(states)} encoders can run" + (f"; {rule[config['missing_encoders']]}." if blocked else ".")


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns padded to their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _data_lines(catalogue: Catalogue | None, missing: str, states: Iterable[Readiness], config: Mapping[str, Any]) -> Iterator[str]:
    data = config["data"]
    if not catalogue:
        yield missing
        return
    if config["predict"]["system"]:
        yield f"new clips   {len(catalogue.clips)}, {len(catalogue.shards)} shards; nothing is trained"
        return
    count = {split: [clip for clip in catalogue.clips if clip.split == split] for split in ("train", "train_only", "test")}
    actors = {clip.actor for clip in count["train"]}
    taught = {clip.actor for clip in count["train"] + count["train_only"]}
    yield f"train       {len(count['train'])} clips, {len(actors)} actors, {len(catalogue.folds)} folds"
    if len(catalogue.folds) < 3:
        yield "            fewer than 3 folds: the inner split takes actors of the one fold that trains"
    yield f"train_only  {len(count['train_only'])} clips"
    has_test_sheet = len(existing_sheets(data)) > 1 + len(data["train_only"])
    listed = "" if has_test_sheet else f" (files in {', '.join(data['test_videos']) or 'no folder'}: there is no test sheet)"
    yield f"test        {len(count['test'])} clips{listed}"
    if shared := sorted(taught & {clip.actor for clip in count["test"]} - {""}):
        yield f"            also train: {', '.join(shared)}, so the test score is not one of unseen actors"
    found = sum(clip.video is not None for clip in catalogue.clips)
    yield f"videos      {found} of {len(catalogue.clips)} found, {len(catalogue.shards)} shards"
    if not found and media_of(_computed(states, config)):
        yield missing_videos_paragraph(data)


def _computed(states: Iterable[Readiness], config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Settings of the encoders that a run makes stores of, with what concatenations are made of."""
    named = [one.encoder for one in states if one.state != STORED and not one.blocks_run]
    parts = [part for part in parts_of(config, named) if not manifest_of(part).is_file()]
    return [encoders_of(config)[name] for name in dict.fromkeys([*named, *parts])]


def media_of(computed: Iterable[Mapping[str, Any]]) -> set[str]:
    """The rules of the media stage that some encoders, given by their settings, need."""
    named = [medium for encoder in computed for medium in (*encoder.get("inputs", ()), encoder.get("frames")) if medium]
    of_inputs = [MEDIA_OF_INPUT[medium] for medium in named]
    return {stage for stages in (*(MEDIA_OF_KIND[encoder["kind"]] for encoder in computed), *of_inputs) for stage in stages}


def _cost_lines(catalogue: Catalogue, states: Sequence[Readiness], config: Mapping[str, Any]) -> Iterator[str]:
    takes_part = [one for one in states if not one.blocks_run]
    clips = len(catalogue.clips)
    computed = _computed(states, config)
    costs = [COSTS[stage] for stage in (*media_of(computed), *(encoder["kind"] for encoder in computed))]
    members = {pair for pairs in active_ensembles(config, [one.encoder for one in takes_part]).values() for pair in pairs}
    trained = [Path(f"results/probabilities/{encoder}/{head}/fold{fold}.json") for encoder, head in members if head != OWN_HEAD for fold in catalogue.folds]
    heads = sum(not manifest.is_file() for manifest in trained) * len(config["classify"]["seeds"])
    trains = not config["predict"]["system"]
    tuned = [(encoder["kind"], hours_of_one_core(encoder, clips, len(catalogue.folds))) for encoder in computed if trains and encoder["kind"] in FINE_TUNED]
    hours = (clips * sum(cost.seconds for cost in costs) + HEAD_S * heads) / 3600 + sum(of_kind for _, of_kind in tuned)
    if tuned:
        each = ", ".join(f"{kind} {of_kind:.0f}" for kind, of_kind in tuned)
        yield f"fine-tuning {each} hours of one core: use a GPU, or leave them out as presets/no_gpu.yaml does"
    dollars = sum(estimate(clips, config["media"]["clips"], encoder).dollars for encoder in computed if encoder["kind"] == "gemini")
    gigabytes = clips * sum(cost.megabytes for cost in costs) / 1000
    yield f"expected    {gigabytes:.1f} GB, {hours:.1f} hours of one core ({heads} heads included), {math.ceil(dollars)} dollars; rough, for clips of 4 s"


def estimate_report(config: Mapping[str, Any]) -> str:
    """Requests, frames and dollars of every encoder that asks an API, or of those configured if none takes part; nothing is sent."""
    catalogue, missing = _catalogue(config)
    if not catalogue:
        return f"{missing}\n"
    asking = {name: encoder for name, encoder in config["features"].items() if encoder["kind"] == "gemini"}
    asking = {name: encoder for name, encoder in asking.items() if name in config["encoders"]} or asking
    videos = [clip.video for clip in catalogue.clips if clip.video]
    cut, folder = config["media"]["clips"], config["runtime"]["api_replies"]
    rows = [_estimate_row(name, len(videos), estimate(len(unanswered(videos, cut, encoder, folder)), cut, encoder)) for name, encoder in asking.items()]
    lines = table([("encoder", "clips", "replies kept", "requests", "frames", "dollars"), *rows])
    agreed = {True: "as confirm_upload is true", False: "once confirm_upload is true"}
    lines += [f"{name}: {what_leaves(cut, encoder)}, {agreed[encoder['confirm_upload']]}." for name, encoder in asking.items()]
    return "\n".join([*lines, "At most, without batch prices or free tiers; a request that fails may be sent again. Nothing was sent."]) + "\n"


def _estimate_row(name: str, clips: int, cost: Estimate) -> tuple[str, ...]:
    return name, str(clips), str(clips - cost.requests), str(cost.requests), str(cost.frames), f"{cost.dollars:.2f}"
