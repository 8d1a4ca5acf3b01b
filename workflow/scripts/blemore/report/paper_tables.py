"""Tables I, II and III of the paper in its layout, ours beside the printed numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from blemore.fusion.published_weights import PUBLISHED
from blemore.fusion.submission_list import ServerScores
from blemore.report.published import (
    ADAPTED_ENCODERS,
    ENCODER_LINES,
    ENCODER_TEXTS,
    FUSION_LINES,
    NINE,
    ORGANISERS_FUSION_LINES,
    ORGANISERS_LINES,
    TEST_BASELINES,
    TEST_SUBMISSIONS,
    TWELVE,
    WEIGHTED_TEST,
    WEIGHTED_VALIDATION,
    Line,
    score_of,
)
from blemore.report.tables import MEASURES

PRINTED, TUNED, NESTED = "printed", "here, tuned on the scored fold", "here, nested"
COLUMNS = {NINE: PUBLISHED["paper_9"], TWELVE: PUBLISHED["paper_12"]}
SERVER, SUBMITTED = "here, by the server", "Submitted from here (test)"
OURS, OURS_TEST = "Only here", "Only here (test)"
Results = Mapping[str, Mapping[str, Any]]  # the content of scores.json by ensemble
Row = dict[tuple[str, str], Any]


def encoder_table(results: Results) -> pd.DataFrame:
    """Table I: every encoder alone, five-fold validation; those of the paper, of the organisers, then others that were run here.

    Columns: (printed | tuned | nested, measure or its standard deviation over folds), and the 95 % interval of the nested Score.
    """
    lines = (*ENCODER_LINES, *ORGANISERS_LINES)
    known = {line.name for line in (*lines, *FUSION_LINES, *ORGANISERS_FUSION_LINES)}  # features that are joined are one encoder here, and in Table II
    others = [name for name, result in results.items() if len(result["members"]) == 1 and name not in known]
    rows = [_validation_row(line.section, line.text, line.modality, _printed(line), results.get(line.name)) for line in lines]
    rows += [_validation_row(OURS, name, "", _printed(None), results[name]) for name in others]
    return pd.DataFrame(rows)


def fusion_table(results: Results, baselines: Mapping[str, Mapping[str, float]], submitted: Sequence[ServerScores] = ()) -> pd.DataFrame:
    """Table II: ensembles on the test clips and in the validation, the same columns; other ensembles that were run here at the end.

    What decides test clips was chosen on the training clips, so their figures stand under `nested`.

    Args:
        baselines: what one decision for all clips scores here, see `trivial_baselines`.
        submitted: what the server answered to zips of this run; each a line, beside the test figures that are printed of its ensemble.
    """
    lines = (*FUSION_LINES, *ORGANISERS_FUSION_LINES)
    known = {line.name for line in lines}
    rows = [_fusion_row(line, results, baselines) for line in lines]
    others = {name: result for name, result in results.items() if len(result["members"]) > 1 and name not in known}
    rows += [_validation_row(OURS, name, "", _printed(None), result) for name, result in others.items()]
    rows += [_test_row(OURS_TEST, name, _printed(None), result) for name, result in others.items() if result["test"]]
    rows += [_submitted_row(one) for one in submitted]
    return pd.DataFrame(rows)


def _submitted_row(submitted: ServerScores) -> Row:
    line = next((line for line in FUSION_LINES if line.section == TEST_SUBMISSIONS and line.name == submitted.ensemble), None)
    text = f"{line.text if line else submitted.ensemble}, {submitted.protocol}" + ("" if submitted.current else ", replaced since")
    figures = {(SERVER, measure): np.nan if value is None else value for measure, value in submitted.figures.items()}
    return _validation_row(SUBMITTED, text, "", _printed(line), None) | figures


def _fusion_row(line: Line, results: Results, baselines: Mapping[str, Mapping[str, float]]) -> Row:
    result = results.get(line.name)
    if line.section in (TEST_BASELINES, TEST_SUBMISSIONS):
        return _test_row(line.section, line.text, _printed(line), result)
    row = _validation_row(line.section, line.text, "", _printed(line), result)
    trivial = baselines.get(line.name.removeprefix("trivial_"), {})
    return row | {(TUNED, measure): trivial[measure] for measure in MEASURES if trivial}


def _test_row(section: str, text: str, printed: Row, result: Mapping[str, Any] | None) -> Row:
    figures = result["test"] if result and result["test"] else {}
    return _validation_row(section, text, "", printed, None) | {(NESTED, measure): figures[measure] for measure in MEASURES if figures}


def _printed(line: Line | None) -> Row:
    figures = (np.nan,) * 5 if line is None else (line.presence, line.presence_std, line.salience, line.salience_std, score_of(line))
    names = ("ACC_P", "ACC_P_std", "ACC_S", "ACC_S_std", "Score")
    return {(PRINTED, name): np.nan if value is None else value for name, value in zip(names, figures, strict=True)}


def _validation_row(section: str, text: str, modality: str, printed: Row, result: Mapping[str, Any] | None) -> Row:
    row: Row = {("", "section"): section, ("", "system"): text, ("", "M"): modality} | printed
    for group, protocol in ((TUNED, "paper"), (NESTED, "nested")):
        block = result["protocols"][protocol] if result else {}
        for measure in MEASURES:
            row[group, measure] = block.get("mean", {}).get(measure, np.nan)
            row[group, f"{measure}_std"] = block.get("std", {}).get(measure, np.nan)
    low, high = result["intervals"]["nested"]["Score"] if result else (np.nan, np.nan)
    return row | {(NESTED, "Score_low"): low, (NESTED, "Score_high"): high}


def fusion_weight_table(results: Results) -> pd.DataFrame:
    """Table III: the weights, averaged over folds, of the two ensembles of the paper and of `all`, and their figures below."""
    shown = [name for name in (NINE, TWELVE, "all") if name in results]
    members = {name: _mean_weights(results[name]) for name in shown}
    encoders = list(dict.fromkeys([*ENCODER_TEXTS, *(encoder for weights in members.values() for encoder in weights[TUNED])]))
    rows: list[Row] = []
    for encoder in encoders:
        group = "Adapted" if encoder in ADAPTED_ENCODERS else "Baseline" if encoder in ENCODER_TEXTS else OURS
        row: Row = {("", "section"): group, ("", "system"): ENCODER_TEXTS.get(encoder, encoder)}
        row |= {(PRINTED, name): column.get(encoder, np.nan) for name, column in COLUMNS.items()}
        row |= {(kind, name): members[name][kind].get(encoder, np.nan) for kind in (TUNED, NESTED) for name in shown}
        rows.append(row)
    return pd.DataFrame(rows + _figure_rows(results, shown))


def _mean_weights(result: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """By protocol and encoder; an encoder with several heads counts with all of them."""
    found: dict[str, dict[str, float]] = {}
    for kind, protocol in ((TUNED, "paper"), (NESTED, "nested")):
        means = np.mean([fold["weights"] for fold in result["protocols"][protocol]["folds"]], axis=0)
        found[kind] = {}
        for member, weight in zip(result["members"], means.tolist(), strict=True):
            encoder = member.split("/")[0]
            found[kind][encoder] = found[kind].get(encoder, 0.0) + weight
    return found


def _figure_rows(results: Results, shown: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for index, measure in enumerate(MEASURES):
        row: Row = {("", "section"): "Validation", ("", "system"): measure}
        row |= {(PRINTED, name): figures[index] if figures else np.nan for name, figures in WEIGHTED_VALIDATION.items()}
        for kind, protocol in ((TUNED, "paper"), (NESTED, "nested")):
            row |= {(kind, name): results[name]["protocols"][protocol]["mean"][measure] for name in shown}
        rows.append(row)
    for index, measure in enumerate(MEASURES):
        tested: Row = {("", "section"): "Test", ("", "system"): measure}
        tested |= {(PRINTED, name): figures[index] for name, figures in WEIGHTED_TEST.items()}
        rows.append(tested | {(NESTED, name): (results[name]["test"] or {}).get(measure, np.nan) for name in shown})
    return rows


def as_csv(table: pd.DataFrame) -> str:
    """Numbers as they are, column names like `printed ACC_P`."""
    flat = table.set_axis([" ".join(filter(None, column)) for column in table.columns], axis=1)
    return flat.to_csv(index=False, lineterminator="\n")


def as_printed(table: pd.DataFrame) -> pd.DataFrame:
    """Text as the paper sets it: `.340±.024`, a dash where there is nothing, intervals in brackets; sections as index."""
    cells = pd.DataFrame(index=table.index)
    for group, name in table.columns:
        if name.endswith(("_std", "_low", "_high")):
            continue
        column = table[group, name].map(lambda value: value if isinstance(value, str) else _number(value))
        for suffix, form in (("_std", "{}±{}"), ("_low", "{} [{}, {}]")):
            beside = [(group, name + suffix), *([(group, f"{name}_high")] if suffix == "_low" else [])]
            if beside[0] in table.columns:
                extra = [table[one].map(_number) for one in beside]
                column = [form.format(*found) if found[-1] != "–" else found[0] for found in zip(column, *extra, strict=True)]
        cells[group, name] = column
    cells.columns = pd.MultiIndex.from_tuples(cells.columns)
    return cells.set_index([("", "section"), ("", "system")]).rename_axis([None, None])


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def as_latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """For `\\usepackage{booktabs, multirow}`; every text is escaped."""
    printed = as_printed(table)
    text = printed.to_latex(escape=True, caption=caption, label=label, multirow=True, column_format="ll" + "r" * printed.shape[1])
    return text.replace("\\begin{table}", "\\begin{table*}").replace("\\end{table}", "\\end{table*}")


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 1rem; color-scheme: light dark; }} table {{ border-collapse: collapse; }}
th, td {{ padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #8884; }} tbody th {{ text-align: left; vertical-align: top; }}</style></head>
<body><h1>{title}</h1><p>{note}</p>
{table}
</body></html>
"""


def as_html(table: pd.DataFrame, title: str, note: str) -> str:
    """A page that stands alone; every text is escaped."""
    return PAGE.format(title=title, note=note, table=as_printed(table).to_html(escape=True, border=0))
