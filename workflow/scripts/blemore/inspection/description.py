"""What a store holds, as a dictionary that prints well and is JSON: dimensions, ids, statuses, ranges, and what made it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blemore.data.emotions import EMOTIONS
from blemore.inspection.opening import FOLDER_KINDS, KINDS, Store, check_clip, clips_of, columns, file_of, groups, tensors
from blemore.stores import STATUSES


def describe(store: Store) -> dict[str, Any]:
    """Everything that is shown of a whole store."""
    clips = clips_of(store)
    ids = {"clips": len(clips), "first": clips[:2], "last": clips[-1:]} if clips else {}
    return _without_empty({"store": str(store.path), "kind": f"{store.kind}: {KINDS[store.kind]}", **ids, **_content(store), **_origin(store)})


def describe_clip(store: Store, clip: str) -> dict[str, Any]:
    """Everything that is shown of one clip.

    Raises:
        BadInput: if the store has no such clip.
    """
    check_clip(store, clip)
    return {"store": str(store.path), "clip": clip, **_without_empty(_clip(store, clip))}


def _content(store: Store) -> dict[str, Any]:
    if store.kind in ("features", "probabilities"):
        return _table(columns(store))
    if store.kind in FOLDER_KINDS:
        files = [file for clip in clips_of(store) if (file := file_of(store, clip)).is_file()]
        return {"files": len(files), "bytes": sum(file.stat().st_size for file in files), "status": _counts(store), **_numbers_of_manifest(store)}
    if store.kind == "head":
        return {**_history(store), "tensors": {name: ranges(values) for name, values in tensors(store).items()}}
    if store.kind == "weights":
        return _weights(store)
    return {"status": _counts(store), "arrays": _over_clips([arrays for _, _, arrays in groups(store)])}


def _table(rows: Any) -> dict[str, Any]:
    """Arrays of a Zarr store by name; what is text is counted."""
    wide = next(name for name in ("embedding", "probability") if name in rows._fields)
    values = getattr(rows, wide)
    numbers = {name: ranges(column) for name, column in rows._asdict().items() if isinstance(column, np.ndarray) and name != "status"}
    counted: dict[str, Any] = {name: dict(Counter(getattr(rows, name))) for name in ("split",) if name in rows._fields}
    if "status" in rows._fields:
        counted["status"] = dict(Counter(STATUSES[status] for status in rows.status))
        counted["actors"] = len(set(rows.actor) - {""})
    names = ("clip", *["layer"] * (values.ndim - 2), "feature" if wide == "embedding" else "emotion")
    dimensions = dict(zip(names, values.shape, strict=True))
    return {"content": "is what its manifest says", "dimensions": dimensions, **counted, "arrays": numbers}


def _over_clips(clips: Sequence[Mapping[str, NDArray]]) -> dict[str, Any]:
    """Ranges over all clips of a shard; of pictures their number and size."""
    names = sorted({name for arrays in clips for name in arrays})
    found = {name: [arrays[name] for arrays in clips if name in arrays] for name in names}
    return {name: _pictures(values) if values[0].dtype == object else ranges(np.concatenate(values)) for name, values in found.items()}


def _pictures(clips: Sequence[NDArray]) -> dict[str, Any]:
    import cv2

    sizes = [len(jpeg) for jpegs in clips for jpeg in jpegs]
    height, width = np.asarray(cv2.imdecode(clips[0][0], cv2.IMREAD_GRAYSCALE)).shape
    return {"pictures": len(sizes), "of the first": f"{width}x{height}", "bytes": sum(sizes)}


def ranges(values: NDArray) -> dict[str, Any]:
    """Type, shape, least, largest and mean of what is finite, and how many are not."""
    described: dict[str, Any] = {"type": str(values.dtype), "shape": list(values.shape)}
    if values.dtype == bool:
        return described | {"true": int(values.sum())}
    finite = np.isfinite(values)
    kept = values if finite.all() else values[finite]
    if kept.size:
        described |= {"min": round(float(kept.min()), 6), "max": round(float(kept.max()), 6), "mean": round(float(kept.mean(dtype=np.float64)), 6)}
    return described | ({"not finite": int(values.size - kept.size)} if kept.size < values.size else {})


def _weights(store: Store) -> dict[str, Any]:
    described = json.loads(store.path.read_text())
    return {"files": {name: f"{size} bytes, sha256 {described['sha256'][name]}" for name, size in described["bytes"].items()}}


def _history(store: Store) -> dict[str, Any]:
    """Of each seed, the epoch that was kept and how many there were."""
    path = store.path.with_suffix(".json")
    seeds = json.loads(path.read_text())["seeds"] if path.is_file() else {}
    return {f"seed {seed}": {"epoch kept": history["best_epoch"], "epochs": len(history["train_loss"])} for seed, history in seeds.items()}


def _counts(store: Store) -> dict[str, int]:
    return dict(store.manifest["status_counts"])


def _numbers_of_manifest(store: Store) -> dict[str, Any]:
    blocks = {name: value for name, value in store.manifest.items() if isinstance(value, dict) and name not in ("status", "status_counts") and value}
    return {name: ranges(np.array(list(value.values()), float)) for name, value in blocks.items()}


def _origin(store: Store) -> dict[str, Any]:
    """What determined the numbers, and where and when they were made."""
    made = {name: store.attributes[name] for name in sorted(store.attributes)}
    code = made.pop("code", {})
    extraction = dict(made.pop("extraction", {}))
    if extraction:
        extraction["code"] = f"{len(extraction.get('code', {}))} modules"
    more = {"inputs": f"{len(inputs)} stores" if len(inputs := made.pop("inputs", {})) > 3 else inputs}
    return {"made with": _without_empty({**made, **more, "extraction": extraction, "code": f"{len(code)} modules" if code else {}}), "run": store.record}


def _clip(store: Store, clip: str) -> dict[str, Any]:
    if store.kind in ("features", "probabilities"):
        rows = columns(store)
        row = rows.clip.index(clip)
        return {name: _cell(name, column[row]) for name, column in rows._asdict().items() if name != "clip"}
    if store.kind in FOLDER_KINDS:
        file = file_of(store, clip)
        blocks = {name: value[clip] for name, value in store.manifest.items() if isinstance(value, dict) and clip in value}
        return {**blocks, "file": str(file) if file.is_file() else "none", "bytes": file.stat().st_size if file.is_file() else 0}
    _, status, arrays = next(groups(store, clip))
    return {"status": status, "arrays": _over_clips([arrays])}


def _cell(name: str, value: Any) -> Any:
    """One clip's value of a column: statuses and emotions by name, a long vector by its ranges."""
    if name == "status":
        return STATUSES[value]
    if name == "embedding":
        return ranges(value) | {"first": [round(float(number), 6) for number in value.ravel()[:6]] if np.isfinite(value).all() else []}
    if isinstance(value, np.ndarray):
        return {emotion: round(float(number), 6) for emotion, number in zip(EMOTIONS, value, strict=True)} if np.isfinite(value).all() else "none"
    return value.item() if isinstance(value, np.generic) else value


def _without_empty(described: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in described.items() if value not in ({}, [], "")}


def as_text(described: Mapping[str, Any], indent: str = "") -> str:
    """The dictionary in indented lines; blocks whose values are plain stand on one line where they are short."""
    lines = []
    for name, value in described.items():
        if isinstance(value, Mapping):
            flat = ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
            nested = len(flat) > 130 or any(isinstance(item, Mapping) for item in value.values())
            lines.append(f"{indent}{name}:\n{as_text(value, indent + '    ')}" if nested else f"{indent}{name}: {flat}")
        else:
            lines.append(f"{indent}{name}: {_plain(value)}")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return f"[{', '.join(map(_plain, value))}]" if isinstance(value, (list, tuple)) else "null" if value is None else str(value)
