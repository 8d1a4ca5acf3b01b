"""Shards of one encoder to one store."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blemore.job import BadInput
from blemore.stores import FAILED, STATUSES, Features


def concatenate(parts: Sequence[Features]) -> Features:
    """All rows sorted by clip id, so that neither sharding nor order shows.

    Raises:
        BadInput: if the parts differ in width.
    """
    widths = sorted({part.embedding.shape[1] for part in parts})
    if len(widths) > 1:
        raise BadInput(f"shards of one encoder have {widths} numbers per clip; delete its shards and run again.")
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


def same_extraction(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What made all shards of an encoder, without their inputs.

    Args:
        attributes: store -> its attributes, see `stores.provenance`.

    Raises:
        BadInput: if shards were made by different settings, code, packages or weights.
    """
    (first, one), *others = attributes.items()
    shared = {key: value for key, value in one.items() if key != "inputs"}
    for store, other in others:
        different = sorted(key for key in {*shared, *other} - {"inputs"} if shared.get(key) != other.get(key))
        if different:
            raise BadInput(f"{store} and {first} were made with different {', '.join(different)}; delete the older one and run again.")
    return shared
