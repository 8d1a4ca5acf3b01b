"""Scores of all encoders and ensembles side by side."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

MEASURES = ("ACC_P", "ACC_S", "Score")


def score_table(results: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per ensemble, the best nested Score first.

    Columns: `name`, `members`; mean and standard deviation over folds of ACC_P, ACC_S and Score as the paper
    reports them, tuned on the scored fold; `nested_*`, the same chosen on the other folds; `test_*`, of the test
    clips, NaN where they have no labels; `uses_scored_fold`, of the first, and `nested_uses_scored_fold`; `missing`,
    the clips that the member which lacks most has nothing for.
    """
    rows = [_score_row(result) for result in results]
    return pd.DataFrame(rows).sort_values(["nested_Score", "name"], ascending=[False, True], ignore_index=True)


def _score_row(result: Mapping[str, Any]) -> dict[str, Any]:
    paper, nested = result["protocols"]["paper"], result["protocols"]["nested"]
    row: dict[str, Any] = {"name": result["ensemble"], "members": " + ".join(result["members"])}
    for measure in MEASURES:
        row |= {measure: paper["mean"][measure], f"{measure}_std": paper["std"][measure]}
        row |= {f"nested_{measure}": nested["mean"][measure], f"nested_{measure}_std": nested["std"][measure]}
    test = result["test"] or {}
    row |= {f"test_{measure}": test.get(measure, float("nan")) for measure in MEASURES}
    used = {"uses_scored_fold": paper["uses_scored_fold"], "nested_uses_scored_fold": nested["uses_scored_fold"]}
    return row | used | {"missing": max(result["clips"]["scored"]["missing"].values())}


def threshold_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """The thresholds and scores of every fold of one ensemble under every protocol."""
    rows = [{"protocol": name, "scored fold": _used(block), **fold} for name, block in result["protocols"].items() for fold in block["folds"]]
    return pd.DataFrame(rows).drop(columns="weights")


def without_tuned_epochs(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """Members that the tuned protocols take by epochs that were not chosen on the scored fold."""
    return sorted({member for result in results for member in result["without_tuned_epochs"]})


def _used(block: Mapping[str, Any]) -> str:
    if not block["uses_scored_fold"]:
        return "not used"
    return "used, epochs too" if block["epochs_on_scored_fold"] else "used"


def weight_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """The weight of every member, a column each: the mean over folds under each protocol, and those used for new clips."""
    protocols = result["protocols"].items()
    rows = [{"protocol": name, "scored fold": _used(block)} | _mean_weights(result["members"], block["folds"]) for name, block in protocols]
    chosen = dict(zip(result["members"], result["chosen"]["weights"], strict=True))
    return pd.DataFrame([*rows, {"protocol": "new clips", "scored fold": "none: chosen on all folds"} | chosen])


def _mean_weights(members: Sequence[str], folds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return dict(zip(members, pd.DataFrame([fold["weights"] for fold in folds]).mean(), strict=True))


def decoder_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """Every way to decide under every protocol, the difference being from the plain thresholds of the same protocol."""
    rows = [
        {
            "decoder": row["decoder"].replace("_", " "),
            "normalisation": "by actor (transductive)" if row["actor_centred"] else "plain",
            "protocol": row["protocol"],
            "scored fold used": "yes" if row["uses_scored_fold"] else "no",
            **_with_intervals(row),
            "less thresholds": _difference(row["less_thresholds"]),
        }
        for row in result["decoders"]
    ]
    return pd.DataFrame(rows)


def transfer_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """The Score on every fold by the thresholds of each; fused by the weights for new clips, so none of these Scores is of unseen clips."""
    found = result["sensitivity"]
    table = pd.DataFrame({"fold": found["folds"], "alpha": found["alpha"], "beta": found["beta"]})
    return table.join(pd.DataFrame(found["transfer"], columns=[f"on fold {fold}" for fold in found["folds"]]))


def null_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """Each statistic of the folds' thresholds beside its 95 % range where personal style plays no part."""
    found = result["sensitivity"]
    rows = [
        {
            "statistic": statistic.replace("_", " "),
            "observed": found["statistics"][statistic],
            "compared with": name.replace("_", " "),
            "its range": f"{test['null_low']:.3f} to {test['null_high']:.3f}",
            "p": test["p_value"],
        }
        for name, tests in found["nulls"].items()
        for statistic, test in tests.items()
    ]
    return pd.DataFrame(rows)


def group_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """The nested figures of each group of clips."""
    return pd.DataFrame([{name: row[name] for name in ("kind", "group", "n_clips", "n_blends", "n_actors")} | _with_intervals(row) for row in result["groups"]])


def left_out_table(result: Mapping[str, Any]) -> pd.DataFrame:
    """The nested figures without each member, and what it adds; without rows for a single encoder."""
    rows = [{"without": row["member"], **{name: row[name] for name in MEASURES}, "it adds": _difference(row["adds"])} for row in result["left_out"]]
    return pd.DataFrame(rows, columns=["without", *MEASURES, "it adds"])


def _with_intervals(row: Mapping[str, Any]) -> dict[str, str]:
    return {measure: _with_interval(row[measure], row["intervals"][measure]) for measure in MEASURES}


def _with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def _difference(row: Mapping[str, float]) -> str:
    return f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def as_text(table: pd.DataFrame, baselines: Mapping[str, Mapping[str, Any]], note: str) -> str:
    """The score table for a terminal, the trivial baselines below it."""
    trivial = {f"trivial {name.replace('_', ' ')}": baseline for name, baseline in baselines.items()}
    width = max(map(len, ["encoder", *table["name"], *trivial]))
    lines = [f"{'encoder':<{width}}  {'ACC_P':>13}  {'ACC_S':>13}  {'Score':>13}  {'nested Score':>13}"]
    for row in table.to_dict("records"):
        cells = [f"{row[m]:.3f} ± {row[f'{m}_std']:.3f}" for m in (*MEASURES, "nested_Score")]
        lines.append(f"{row['name']:<{width}}  " + "  ".join(f"{cell:>13}" for cell in cells))
    for name, baseline in trivial.items():
        lines.append(f"{name:<{width}}  " + "  ".join(f"{f'{baseline[measure]:.3f}':<13}" for measure in MEASURES).rstrip())
    return "\n".join([*lines, "", note, ""])
