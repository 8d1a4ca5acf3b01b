"""Pictures of stores: projections and heat maps of numbers, charts of tracks, sounds and learning, contact sheets of frames."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from blemore.data.emotions import EMOTIONS
from blemore.data.sheet import read_checked_sheet
from blemore.inspection.opening import FRAME_KINDS, Store, check_clip, clips_of, columns, file_of, groups
from blemore.job import BadInput
from blemore.stores import STATUSES, USABLE, Features

MOST_NAMED = 20  # colours with a name in the legend
PICTURES = {True: 64, False: 12}  # of a clip on a sheet of its own, and among others


def plot(store: Store, out: Path, clip: str | None = None, heatmap: bool = False, colour: str = "emotion", sheet: str | None = None) -> None:
    """Draws a store, or one clip of it, into a PNG file.

    Args:
        heatmap: of features: all clips and numbers, instead of a projection onto two dimensions.
        colour: of the projection: emotion, actor, split (all three from the sheet, actors also from the store) or status.
        sheet: the checked sheet; by default `data/sheet.csv` of the same results.

    Raises:
        BadInput: if there is nothing to draw, the clip is absent, or the colour needs a sheet that is not there.
    """
    if clip:
        check_clip(store, clip)
    if store.kind in (*FRAME_KINDS, "clips"):
        _save_sheet(store, out, clip)
    elif store.kind == "features" and not clip and not heatmap:
        _save(_projection(store, columns(store), colour, sheet), out)
    elif drawn := DRAWN.get(store.kind):
        _save(drawn(store, clip), out)
    else:
        raise BadInput(f"{store.path} holds {store.kind}, of which there is no picture; leave out --plot.")


def _save_sheet(store: Store, out: Path, clip: str | None) -> None:
    import cv2

    from blemore.inspection.contact import CLIP, SHARD, contact_sheet
    from blemore.inspection.films import films

    clips = [clip] if clip else clips_of(store)
    drawn = contact_sheet(list(films(store, clips, PICTURES[bool(clip)])), CLIP if clip else SHARD, f"{store.path}: {len(clips)} clips")
    try:
        written = cv2.imwrite(str(out), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
    except cv2.error:  # of an ending that it does not know
        written = False
    if not written:
        raise BadInput(f"{out} cannot be written; name a .png file in a folder that exists.")


def _figure(height: float, title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(9, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def _save(figure: Figure, out: Path) -> None:
    try:
        FigureCanvasAgg(figure).print_png(out)
    except OSError as error:
        raise BadInput(f"{out} cannot be written ({error.strerror}); name a .png file in a folder that exists.") from None


def _projection(store: Store, rows: Any, colour: str, sheet: str | None) -> Figure:
    """The first two principal components of the standardised usable rows."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    usable = np.isin(rows.status, USABLE)
    if usable.sum() < 3:
        raise BadInput(f"{store.path} has {usable.sum()} usable clips, and a projection needs 3; leave out --plot, or add --heatmap.")
    groups_of = np.array(_colours(store, rows, colour, sheet))[usable]
    reduction = PCA(2, svd_solver="randomized", random_state=0)
    points = reduction.fit_transform(StandardScaler().fit_transform(rows.embedding[usable].reshape(usable.sum(), -1).astype(np.float64)))
    share = reduction.explained_variance_ratio_
    figure, axes = _figure(7, f"{store.path.stem}: {usable.sum()} clips by {colour}")
    for name, place in zip(names := sorted(set(groups_of)), np.linspace(0, 1, len(names)), strict=True):
        of_group = groups_of == name
        axes.scatter(*points[of_group].T, s=12, color=colormaps["turbo"](place), label=name, alpha=0.8)
    if len(names) <= MOST_NAMED:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set(xlabel=f"first component, {share[0]:.0%} of the variance", ylabel=f"second component, {share[1]:.0%}")
    return figure


def _colours(store: Store, rows: Features, colour: str, sheet: str | None) -> list[str]:
    """A name for each row: what it is coloured by."""
    if colour == "status":
        return [STATUSES[status] for status in rows.status]
    table = _labels(store, sheet)
    if table is None and colour == "actor":
        return [actor or "unknown" for actor in rows.actor]
    if table is None:
        raise BadInput(f"no sheet is beside {store.path}, and --colour {colour} needs one: give --sheet, or --colour actor.")
    named = {"emotion": _emotions(table), "actor": table["video_id"], "split": table["split"]}[colour]
    of_clip = dict(zip(table["filename"], named, strict=True))
    return [of_clip.get(clip) or "unknown" for clip in rows.clip]


def _labels(store: Store, sheet: str | None) -> pd.DataFrame | None:
    results = next((parent for parent in store.path.resolve().parents if parent.name == "results"), Path())
    path = Path(sheet) if sheet else results / "data" / "sheet.csv"
    if sheet and not path.is_file():
        raise BadInput(f"{sheet} is no file; name a checked sheet, results/data/sheet.csv of a run.")
    return read_checked_sheet(path) if path.is_file() else None


def _emotions(table: pd.DataFrame) -> list[str]:
    """`ang`, or `ang+hap` of a blend, whatever its ratio."""
    return [f"{first}+{second}" if second else first for first, second in zip(table["emotion_1"], table["emotion_2"], strict=True)]


def _heatmap(store: Store, clip: str | None) -> Figure:
    """Clips by numbers; features are standardised, since their scales differ."""
    rows = columns(store)
    wide = (rows.embedding if isinstance(rows, Features) else rows.probability).reshape(len(rows.clip), -1)
    order = np.arange(len(rows.clip)) if isinstance(rows, Features) else np.lexsort((np.nan_to_num(wide).argmax(1), rows.split))
    order = order[[rows.clip[row] == clip for row in order]] if clip else order
    if isinstance(rows, Features):
        usable = wide[np.isin(rows.status, USABLE)]
        wide = (wide - usable.mean(0)) / np.where(usable.std(0) > 0, usable.std(0), 1)
    limits = {"vmin": -3, "vmax": 3, "cmap": "coolwarm"} if isinstance(rows, Features) else {"vmin": 0, "vmax": 1, "cmap": "viridis"}
    figure, axes = _figure(2.5 if clip else 8, f"{store.path}{f', {clip}' if clip else ''}")
    image = axes.imshow(wide[order], aspect="auto", interpolation="nearest", **limits)
    axes.set_facecolor("lightgrey")  # rows that failed are NaN
    figure.colorbar(image, ax=axes, label="standard deviations from the mean" if isinstance(rows, Features) else "probability")
    axes.set_ylabel("clips" if isinstance(rows, Features) else "clips by split and emotion")
    if not isinstance(rows, Features):
        axes.set_xticks(range(len(EMOTIONS)), EMOTIONS)
    return figure


def _track(store: Store, clip: str | None) -> Figure:
    """Of one clip, how box and probability go; of a shard, the probability of every frame of every clip."""
    tracks = {name: arrays for name, _, arrays in groups(store, clip) if len(arrays.get("detected", []))}
    if not tracks:
        raise BadInput(f"{store.path} has no frames{f' of {clip}' if clip else ''} to draw; inspect it without --plot for the statuses, which say why.")
    if clip:
        return _one_track(clip, tracks[clip])
    longest = max(len(arrays["detected"]) for arrays in tracks.values())
    probability = np.full((len(tracks), longest), np.nan)
    for row, arrays in enumerate(tracks.values()):
        probability[row, : len(arrays["detected"])] = np.where(arrays["detected"], np.nan_to_num(arrays["probability"], nan=0.5), 0)
    figure, axes = _figure(1.5 + 0.22 * len(tracks), f"{store.path}: probability of the face")
    figure.colorbar(axes.imshow(probability, aspect="auto", interpolation="nearest", vmin=0, vmax=1), ax=axes)
    axes.set_yticks(range(len(tracks)), list(tracks), fontsize=7)
    axes.set_xlabel("frame; 0 where no detection supports it")
    return figure


def _one_track(clip: str, arrays: dict[str, NDArray]) -> Figure:
    figure, axes = _figure(5, clip)
    left, top, right, bottom = arrays["boxes"].T
    for name, values in (("centre, across", (left + right) / 2), ("centre, down", (top + bottom) / 2), ("height", bottom - top)):
        axes.plot(values, label=name)
    for frame in np.flatnonzero(~arrays["detected"]):
        axes.axvspan(frame - 0.5, frame + 0.5, color="red", alpha=0.15, linewidth=0)
    axes.set(xlabel="frame; red where no detection supports it", ylabel="pixels")
    certainty = axes.twinx()
    certainty.plot(arrays["probability"], color="grey", linestyle=":", label="probability")
    certainty.set(ylim=(0, 1.02), ylabel="probability (dotted)")
    axes.legend()
    return figure


def _sounds(store: Store, clip: str | None) -> Figure:
    """Waveforms; of one clip the spectrogram too."""
    import soundfile

    files = [(name, path) for name in ([clip] if clip else clips_of(store)) if (path := file_of(store, name)).is_file()]
    if not files:
        raise BadInput(f"{store.path} has no sound{f' of {clip}' if clip else ''} to draw; inspect it without --plot for the statuses, which say why.")
    figure = Figure(figsize=(9, max(4, 0.9 * len(files))), layout="constrained")
    panels = figure.subplots(2 if clip else len(files), 1, squeeze=False, sharex=True)[:, 0]
    for panel, (name, path) in zip(panels, files, strict=False):
        samples, rate_hz = soundfile.read(path, dtype="float32")
        panel.plot(np.arange(len(samples)) / rate_hz, samples, linewidth=0.4)
        panel.set(ylim=(-1, 1), yticks=[0])
        panel.set_ylabel(name, rotation=0, ha="right", fontsize=7)
    if clip:
        panels[1].specgram(samples + np.random.default_rng(0).normal(0, 1e-6, len(samples)), NFFT=512, noverlap=384, Fs=rate_hz, vmin=-120)
        panels[1].set_ylabel("Hz")
    panels[-1].set_xlabel("s")
    return figure


def _learning(store: Store, _: str | None) -> Figure:
    history = store.path.with_suffix(".json")
    if not history.is_file():
        raise BadInput(f"{history} is not there, so there are no learning curves to draw; put it beside the head, or leave out --plot.")
    figure, axes = _figure(5, f"{store.path}: loss")
    for seed, curves in json.loads(history.read_text())["seeds"].items():
        axes.plot(curves["train_loss"], label=f"seed {seed}, training clips")
        if curves["stop_loss"]:
            axes.plot(curves["stop_loss"], label=f"seed {seed}, clips that stop it")
        axes.axvline(curves["best_epoch"] - 1, linestyle=":", color="grey")
    axes.set(xlabel="epoch; dotted: the one that was kept", ylabel="loss")
    axes.legend()
    return figure


DRAWN = {"features": _heatmap, "probabilities": _heatmap, "track": _track, "audio": _sounds, "head": _learning}
