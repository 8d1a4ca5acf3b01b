"""Weights, thresholds, scores and decisions of one ensemble."""

from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blemore.data.labels import has_labels, percentages
from blemore.data.sheet import read_checked_sheet
from blemore.fusion.breakdown import fine_tuned_share, leave_one_out, score_groups
from blemore.fusion.decode import evaluate_decoders
from blemore.fusion.predictions import columns, mean_predictions, scored_predictions, tuned_predictions, write_table
from blemore.fusion.protocols import Evaluation, Fusion, OutOfFold, certainty, evaluate_all, measure, official_test_fusion, trivial_baselines
from blemore.fusion.resampling import draw_actors
from blemore.fusion.scores import write_scores
from blemore.fusion.sensitivity import analyse
from blemore.job import run
from blemore.stores import content_digest, provenance, read_durations, read_predictions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    sheet = read_checked_sheet(snakemake.input.sheet)
    train, test = sheet[sheet["split"] == "train"], sheet[sheet["split"] == "test"]
    stores = _stores(snakemake, sorted(int(fold) for fold in train["fold"].unique()))
    read = cache(read_predictions)
    scored = np.array([scored_predictions(folds, train, read) for folds, _ in stores.values()])
    predicted = np.array([mean_predictions(of_test, test["filename"], read) for _, of_test in stores.values()])

    encoders = tuple(encoder for encoder, _ in snakemake.params.members)
    data = OutOfFold(scored, percentages(train), train["fold"].to_numpy(int), train["video_id"].to_numpy(str), encoders)
    epochs_on_scored_fold = snakemake.params.classify["early_stopping"] == "paper"
    settings = dict(snakemake.params.cfg)
    resamples = settings.pop("resamples")
    tuned = {member: tuned_predictions(folds, train, read) for member, (folds, _) in stores.items()}
    evaluations, fusion = evaluate_all(data, settings, epochs_on_scored_fold, _tuned(tuned, scored))
    intervals, differences = certainty(evaluations, data, resamples["count"], resamples["seed"])
    fused, decisions = fusion.decide(predicted)
    official = official_test_fusion(evaluations, len(stores)).decide(predicted)[1]
    write_table(snakemake.output.decisions, _decisions(train, data, evaluations))
    ids = {"clip": test["filename"], "video": test["video"]}
    write_table(
        snakemake.output.test_decisions, pd.DataFrame(ids | columns("probability", fused) | columns("decision", decisions) | columns("official_test", official))
    )

    counts = {"scored": _counts(list(stores), scored), "test": _counts(list(stores), predicted)}
    scores = {
        "ensemble": snakemake.wildcards.ensemble,
        "members": list(stores),
        "epochs_chosen_on_scored_fold": epochs_on_scored_fold,
        # Those that the tuned protocols take as they are, the epoch being chosen on other clips, or there being none.
        "without_tuned_epochs": [] if epochs_on_scored_fold else [member for member, found in tuned.items() if found is None],
        "protocols": {name: evaluation.block for name, evaluation in evaluations.items()},
        "intervals": intervals,
        "differences": differences,
        **_analysis(
            train.assign(duration_s=_durations(snakemake.input.features, train)), data, list(stores), evaluations, fusion, settings["thresholds"], resamples
        ),
        "baselines": trivial_baselines(data.truth),
        "chosen": _chosen(fusion),
        "test": _test_scores(test, decisions),
        "official_test": _test_scores(test, official),
        "clips": counts,
        "provenance": _provenance(snakemake, stores, train, data),
    }
    write_scores(snakemake.output.scores, scores, [snakemake.output.decisions, snakemake.output.test_decisions])


def _stores(snakemake, folds: list[int]) -> dict[str, tuple[dict[int, str], list[str]]]:
    """Member -> its store of each fold, and the stores that its test predictions are the mean of."""
    members = [f"{encoder}/{head}" for encoder, head in snakemake.params.members]
    paths = dict(zip(product(members, folds), snakemake.input.stores, strict=True))
    of_folds = {member: {fold: paths[member, fold] for fold in folds} for member in members}
    if snakemake.params.classify["test_prediction"] == "retrained":
        return {member: (of_folds[member], [store]) for member, store in zip(members, snakemake.input.retrained, strict=True)}
    return {member: (of_folds[member], list(of_folds[member].values())) for member in members}


def _tuned(tuned: Mapping[str, NDArray[np.float64] | None], scored: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """What the tuned protocols read: of each member the predictions by epochs that were chosen on the scored fold, where it has some."""
    if all(found is None for found in tuned.values()):
        return None
    return np.array([plain if found is None else found for found, plain in zip(tuned.values(), scored, strict=True)])


def _analysis(
    train: pd.DataFrame,
    data: OutOfFold,
    members: list[str],
    evaluations: dict[str, Evaluation],
    fusion: Fusion,
    thresholds: dict[str, Any],
    resamples: dict[str, int],
) -> dict[str, Any]:
    """What does without thresholds, what thresholds depend on, who fails, and what each member adds."""
    nested, draws = evaluations["nested"], draw_actors(len(np.unique(data.actor)), resamples["count"], resamples["seed"])
    return {
        "decoders": evaluate_decoders(data, evaluations, thresholds, draws),
        "sensitivity": analyse(fusion.decide(data.probabilities)[0], data.truth, data.fold, data.actor, resamples["count"], resamples["seed"]),
        "groups": score_groups(nested.decisions, data, train, draws),
        "left_out": leave_one_out(data, members, nested, thresholds, draws),
        "fine_tuned_share": fine_tuned_share(members, nested),
    }


def _durations(stores: list[str], train: pd.DataFrame) -> list[float]:
    """Seconds of each training clip, the longest that a member saw; NaN where none says."""
    seconds: dict[str, float] = {}
    for found in map(read_durations, stores):
        seconds |= {clip: max(value, seconds.get(clip, 0.0)) for clip, value in found.items()}
    return [seconds.get(clip, float("nan")) for clip in train["filename"]]


def _decisions(train: pd.DataFrame, data: OutOfFold, evaluations: dict[str, Evaluation]) -> pd.DataFrame:
    """Per clip the truth, the probabilities fused by the nested weights, and what every protocol decides: all zeros where it does not score a clip."""
    ids = {"clip": train["filename"], "fold": train["fold"], "actor": train["video_id"]}
    outcome = columns("truth", data.truth) | columns("probability", evaluations["nested"].fused)
    for name, evaluation in evaluations.items():
        outcome |= columns(name, evaluation.decisions)
    return pd.DataFrame(ids | outcome)


def _chosen(fusion: Fusion) -> dict[str, Any]:
    """What the test clips are decided by, chosen on all out-of-fold predictions."""
    return {"weights": fusion.weights.tolist(), "alpha": fusion.thresholds.alpha, "beta": fusion.thresholds.beta} | (
        {} if fusion.temperatures is None else {"temperatures": fusion.temperatures.tolist()}
    )


def _counts(members: list[str], probabilities: NDArray[np.float64]) -> dict[str, Any]:
    """How many clips there are, how many each member has nothing for, and how many no member has anything for."""
    absent = np.isnan(probabilities).any(axis=2)
    return {"total": absent.shape[1], "missing": dict(zip(members, absent.sum(axis=1).tolist(), strict=True)), "guessed": int(absent.all(axis=0).sum())}


def _test_scores(test: pd.DataFrame, decisions: NDArray[np.int8]) -> dict[str, Any] | None:
    """Scores of the test clips that have labels, which nothing was chosen by; None where there are none."""
    labelled = has_labels(test)
    if not labelled.any():
        return None
    return measure(decisions[labelled], percentages(test[labelled])) | {"n_clips": int(labelled.sum())}


def _provenance(snakemake, stores: dict[str, tuple[dict[int, str], list[str]]], train: pd.DataFrame, data: OutOfFold) -> dict[str, Any]:
    labels = content_digest({"clip": train["filename"].tolist(), "actor": data.actor.tolist(), "fold": data.fold, "truth": data.truth})
    inputs = {f"{member}/fold{fold}": store for member, (folds, _) in stores.items() for fold, store in folds.items()}
    inputs |= {f"{member}/test": of_test[0] for member, (_, of_test) in stores.items() if len(of_test) == 1}
    return provenance(snakemake.params, inputs, ("cma", "numba", "numpy", "scikit-learn", "scipy"), classify=snakemake.params.classify, labels_sha256=labels)


if __name__ == "__main__":
    run(main, snakemake)
