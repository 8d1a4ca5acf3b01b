"""Shards of one encoder to one store."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blemore.foreign import differences
from blemore.job import BadInput
from blemore.stores import FAILED, MISSING, OK, PARTIAL, STATUSES, USABLE, Features


def concatenate(parts: Sequence[Features]) -> Features:
    """All rows sorted by clip id, so that neither sharding nor order shows. A part without any usable row has the width of the others.

    Raises:
        BadInput: if the parts differ in width.
    """
    widths = sorted({part.embedding.shape[1] for part in parts if np.isin(part.status, USABLE).any()})
    if len(widths) > 1:
        raise BadInput(f"shards of one encoder have {widths} numbers per clip; delete its shards and run again.")
    if widths:
        parts = [
            part._replace(embedding=np.full((len(part.clip), widths[0]), np.nan, np.float32)) if part.embedding.shape[1] != widths[0] else part
            for part in parts
        ]
    clips = [clip for part in parts for clip in part.clip]
    order = np.argsort(np.array(clips))

    def column(field: str) -> NDArray:
        return np.concatenate([np.asarray(getattr(part, field)) for part in parts])[order]

    return Features(
        embedding=column("embedding"),
        clip=column("clip").tolist(),
        status=column("status"),
        actor=column("actor").tolist(),
        start_s=column("start_s"),
        end_s=column("end_s"),
        n_frames=column("n_frames"),
    )


def join(parts: Mapping[str, Features]) -> Features:
    """The vectors of several encoders side by side, in the order given, for every clip that one of them has.

    A row is usable where all its parts are, and partial where one of them is; else it has the status of the first part that is not, `missing` where that
    encoder has no such clip. Frames are added up, times and actors are those of the first part that has the clip.
    """
    clips = sorted({clip for one in parts.values() for clip in one.clip})
    places = [{clip: row for row, clip in enumerate(one.clip)} for one in parts.values()]
    rows = np.array([[place.get(clip, -1) for place in places] for clip in clips])  # -1: the last row, never looked at
    columns = list(zip(parts.values(), rows.T))
    status = np.stack([np.where(at < 0, MISSING, one.status[at]) for one, at in columns], 1)
    failed = ~np.isin(status, USABLE)
    first_failed = status[np.arange(len(clips)), failed.argmax(1)]
    joined = np.where(failed.any(1), first_failed, np.where((status == PARTIAL).any(1), PARTIAL, OK)).astype(np.uint8)
    embedding = np.concatenate([one.embedding[at] for one, at in columns], 1)
    embedding[failed.any(1)] = np.nan
    there = (rows >= 0).argmax(1)

    def first(field: str) -> list[Any]:
        return [getattr(columns[part][0], field)[rows[row, part]] for row, part in enumerate(there)]

    n_frames = sum(np.where(at < 0, 0, one.n_frames[at]) for one, at in columns)
    return Features(embedding, clips, joined, first("actor"), np.array(first("start_s")), np.array(first("end_s")), np.asarray(n_frames, np.int64))


def check_failures(features: Features, allowed_fraction: float) -> None:
    """Refuses a data set of which too much could not be read. A clip without a face or sound is no failure.

    Raises:
        BadInput: naming the counts, some of the clips and the setting.
    """
    failed = [clip for clip, status in zip(features.clip, features.status) if status in FAILED]
    if len(failed) > allowed_fraction * len(features.clip):
        counts = {STATUSES[status]: int((features.status == status).sum()) for status in FAILED if (features.status == status).any()}
        raise BadInput(
            f"{len(failed)} of {len(features.clip)} clips failed ({', '.join(f'{n} {name}' for name, n in counts.items())}; first: {', '.join(failed[:5])}), "
            f"more than data.max_failed_fraction {allowed_fraction} allows: mend the files, or raise it."
        )


def same_extraction(attributes: Mapping[str, Mapping[str, Any]], advice: str = "delete the older one and run again") -> dict[str, Any]:
    """What made all stores of an encoder, without their inputs.

    Args:
        attributes: store -> its attributes, see `stores.provenance`.
        advice: what to do if they differ.

    Raises:
        BadInput: if they were made by different settings, code, packages or weights, naming each.
    """
    (first, one), *others = attributes.items()
    shared = {key: value for key, value in one.items() if key != "inputs"}
    for store, other in others:
        different = "; ".join(differences(shared, {key: value for key, value in other.items() if key != "inputs"}))
        if different:
            raise BadInput(f"{first} and {store} were made in different ways ({different}); {advice}.")
    return shared
