"""Tables and the page of the whole run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from blemore.job import run
from blemore.report.page import cells, render
from blemore.report.tables import (
    as_text,
    confusion_table,
    decoder_table,
    group_table,
    left_out_table,
    null_table,
    score_table,
    threshold_table,
    transfer_table,
    weight_table,
)
from blemore.stores import STATUSES

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

NOTE = "ACC_P, ACC_S, Score: tuned on the scored fold, as in the paper. nested Score: chosen on the other folds."


def main(snakemake) -> None:
    params = snakemake.params
    results = [json.loads(Path(path).read_text()) for path in snakemake.input.scores]
    scores = score_table(results)
    left_out = [encoder for encoder in params.encoders["asked"] if encoder not in params.encoders["used"]]
    note = NOTE + (f" Without {', '.join(left_out)}." if left_out else "")
    page = render(
        scores,
        [_shown(result, decisions) for result, decisions in zip(results, snakemake.input.decisions, strict=True)],
        note=note,
        used=params.encoders["used"],
        left_out=left_out,
        baselines=results[0]["baselines"],
        epochs_on_scored_fold=results[0]["epochs_chosen_on_scored_fold"],
        statuses=STATUSES,
        status_counts={encoder: _status_counts(path) for encoder, path in zip(params.encoders["used"], snakemake.input.encoders, strict=True)},
        settings=yaml.safe_dump(_settings(results), sort_keys=True),
    )
    scores.to_csv(snakemake.output.scores, index=False, lineterminator="\n")
    Path(snakemake.output.text).write_text(as_text(scores, results[0]["baselines"], note))
    Path(snakemake.output.page).write_text(page)


def _status_counts(manifest: str) -> dict[str, int]:
    return json.loads(Path(manifest).read_text())["status_counts"]


def _settings(results: list[dict[str, Any]]) -> dict[str, Any]:
    """What the ensembles were made with; the whole configuration of a run is in results/config.yaml."""
    record = results[0]["provenance"]
    return {"fusion": record["settings"], "classify": record["classify"], "packages": record["packages"]}


def _shown(result: dict[str, Any], decisions: str) -> dict[str, Any]:
    confusion = confusion_table(pd.read_csv(decisions)).rename_axis("true set").reset_index()
    tables = {
        "Weights": weight_table(result),
        "Thresholds and scores by fold": threshold_table(result),
        "Decisions with and without thresholds": decoder_table(result),
        "Score of each fold's thresholds (rows) on every fold (columns)": transfer_table(result),
        "Spread of the folds' thresholds, and what it is without personal style": null_table(result),
        "Who fails, nested": group_table(result),
        "Without one member, nested": left_out_table(result),
        "True sets by decided sets, nested": confusion,
    }
    notes = [result["sensitivity"]["conclusion"], f"Weight of fine-tuned encoders, nested: {result['fine_tuned_share']:.0%}."]
    return {"name": result["ensemble"], "notes": notes, "tables": {caption: cells(table) for caption, table in tables.items()}}


if __name__ == "__main__":
    run(main, snakemake)
