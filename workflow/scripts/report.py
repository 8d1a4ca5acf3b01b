"""Tables and the page of the whole run."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from blemore.fusion.scores import read_scores
from blemore.job import run, write_text
from blemore.report.content import cells, folds_of, member_content, page_content
from blemore.report.costs import api_costs, records, rule_costs, status_counts
from blemore.report.page import render
from blemore.report.pictures import face_strips, sound_pictures
from blemore.report.tables import (
    as_text,
    decoder_table,
    group_table,
    left_out_table,
    null_table,
    score_table,
    threshold_table,
    transfer_table,
    weight_table,
    without_tuned_epochs,
)
from blemore.stores import STATUSES

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

NOTE = "ACC_P, ACC_S, Score: epochs, weights and thresholds tuned on the scored fold, as in the paper. nested Score: chosen on the other folds."
TABLES = {
    "Weights": weight_table,
    "Thresholds and scores by fold": threshold_table,
    "Decisions with and without thresholds": decoder_table,
    "Score of each fold's thresholds (rows) on every fold (columns), fused by the weights for new clips": transfer_table,
    "Spread of the folds' thresholds, and what it is without personal style": null_table,
    "Who fails, nested": group_table,
    "Without one member, nested": left_out_table,
}


def main(snakemake) -> None:
    params = snakemake.params
    results = {result["ensemble"]: result for result in map(read_scores, snakemake.input.scores)}
    decisions = {Path(path).parent.name: pd.read_csv(path) for path in snakemake.input.decisions}
    scores = score_table(list(results.values()))
    first = next(iter(results.values()))
    left_out = [encoder for encoder in params.encoders["asked"] if encoder not in params.encoders["used"]]
    note = NOTE + (f" Without {', '.join(left_out)}." if left_out else "")
    clips = decisions[first["ensemble"]]
    pictures = _pictures(snakemake.input, clips["clip"].tolist())
    page = render(
        scores,
        note=note,
        used=params.encoders["used"],
        left_out=left_out,
        baselines=first["baselines"],
        epochs_on_scored_fold=first["epochs_chosen_on_scored_fold"],
        without_tuned_epochs=without_tuned_epochs(results.values()),
        content=_content(results, decisions, scores["name"].tolist(), _members(snakemake.input.stores, clips)),
        pictures=pictures,
        pictures_note=_pictures_note(pictures, params.cfg["embed_faces"]),
        run=_run(snakemake.input.encoders, first["provenance"]["packages"], params, len(clips)),
    )
    write_text(snakemake.output.scores, scores.to_csv(index=False, lineterminator="\n"))
    write_text(snakemake.output.text, as_text(scores, first["baselines"], note))
    write_text(snakemake.output.page, page)


def _content(results: Mapping[str, Any], decisions: Mapping[str, pd.DataFrame], names: Sequence[str], members: Mapping[str, Any]) -> dict[str, Any]:
    tables = {name: {caption: cells(make(results[name])) for caption, make in TABLES.items()} for name in names}
    shown = "all" if "all" in names else names[0]
    return page_content([results[name] for name in names], [decisions[name] for name in names], members, tables, shown)


def _members(stores: Iterable[str], clips: pd.DataFrame) -> dict[str, Any]:
    """Learning curves come from the same job as the probabilities, so no input of their own: where only these were copied, they are absent."""
    found = folds_of(stores)
    histories = {member: {fold: Path(f"results/heads/{member}/fold{fold}.json") for fold in folds} for member, folds in found.items()}
    return {member: member_content(folds, histories[member], clips) for member, folds in found.items()}


def _pictures(inputs: Any, clips: list[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    shards = [*(sound_pictures(folder, clips) for folder in inputs.sound), *(face_strips(store, clips) for store in inputs.faces)]
    for shard in shards:
        for clip, pictures in shard.items():
            found.setdefault(clip, {}).update(pictures)
    return found


def _pictures_note(pictures: Mapping[str, Mapping[str, Any]], faces: bool) -> str:
    heard, seen = (sum(kind in one for one in pictures.values()) for kind in ("wave", "faces"))
    sound = f"Waveforms and spectrograms of {heard} clips are embedded. " if heard else "No sound is shown. "
    return sound + (
        f"The faces of {seen} clips are embedded: keep this page as private as the videos." if faces else "No faces are embedded (report.embed_faces is false)."
    )


def _run(manifests: Iterable[str], packages: Mapping[str, str], params: Any, clips: int) -> dict[str, Any]:
    """What the page says of the run; none of it decides whether the page is current."""
    counts = status_counts(manifests)
    rows = [[name, *(counts[name].get(status, 0) for status in STATUSES)] for name in params.encoders["used"]]
    statuses = pd.DataFrame(rows, columns=["encoder", *STATUSES])
    config = params.configuration
    tables = {
        "Clips by status": statuses,
        "Time and memory of each rule": rule_costs("results/benchmarks"),
        "Stores of each rule": records("results"),
        "Versions": pd.DataFrame(sorted(packages.items()), columns=["package", "version"]),
    }
    paid = "; ".join(": ".join(one) for one in api_costs(config, params.encoders["used"], clips))
    return {
        "tables": [{"caption": caption, **cells(table)} for caption, table in tables.items() if len(table)],
        "note": f"Cost of paid services: {paid or 'none'}.",
        "configuration": yaml.safe_dump(config, sort_keys=False),
    }


if __name__ == "__main__":
    run(main, snakemake)
