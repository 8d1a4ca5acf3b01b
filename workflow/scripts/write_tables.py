"""Tables I, II and III of the paper with ours beside them, and the differences between any two ensembles."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from blemore.fusion.comparison import compare_ensembles
from blemore.fusion.predictions import write_table
from blemore.fusion.scores import read_scores
from blemore.fusion.submission_list import typed_scores
from blemore.job import run, write_text
from blemore.report.paper_tables import as_csv, as_html, as_latex, encoder_table, fusion_table, fusion_weight_table
from blemore.report.tables import without_tuned_epochs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

NOTE = (
    "Printed: by the paper (arXiv:2603.23650) and the organisers (arXiv:2601.13225), of BLEMORE. "
    "Tuned: epochs, weights and thresholds chosen on each scored fold, as the printed ones are{without}. "
    "Nested: chosen on the other folds{epochs}, with the 95 % interval by resampling actors. Mean ± standard deviation over folds."
)
EPOCHS = ", but the epoch on the scored fold (classify.early_stopping: paper)"
WITHOUT = ", but for {members} not the epoch"
TITLES = ("Table I: encoders alone", "Table II: fusion", "Table III: fusion weights, averaged over folds")


def main(snakemake) -> None:
    found = [read_scores(path) for path in snakemake.input.scores]
    results = {result["ensemble"]: result for result in found}
    submitted = [row for path in snakemake.input.submitted for row in typed_scores(path)]
    tables = (encoder_table(results), fusion_table(results, found[0]["baselines"], submitted), fusion_weight_table(results))
    kept = without_tuned_epochs(found)
    without = WITHOUT.format(members=", ".join(kept)) if kept else ""
    note = NOTE.format(epochs=EPOCHS if found[0]["epochs_chosen_on_scored_fold"] else "", without=without)
    for number, (table, title) in enumerate(zip(tables, TITLES, strict=True), start=1):
        _write(snakemake.output, f"table_{number}", table, title, note)
    decisions = {name: pd.read_csv(path, dtype={"clip": str, "actor": str}) for name, path in zip(results, snakemake.input.decisions, strict=True)}
    protocols = {name: block["uses_scored_fold"] for name, block in found[0]["protocols"].items()}
    resamples = snakemake.params.cfg["resamples"]
    write_table(snakemake.output.differences, compare_ensembles(decisions, protocols, resamples["count"], resamples["seed"]))


def _write(output: Any, name: str, table: pd.DataFrame, title: str, note: str) -> None:
    write_text(output[f"{name}_csv"], as_csv(table))
    write_text(output[f"{name}_tex"], as_latex(table, f"{title}. {note}", f"tab:{name}"))
    write_text(output[f"{name}_html"], as_html(table, title, note))


if __name__ == "__main__":
    run(main, snakemake)
