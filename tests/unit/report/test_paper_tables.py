import io
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from blemore.fusion.submission_list import ServerScores
from blemore.report.paper_tables import NESTED, PRINTED, TUNED, as_csv, as_html, as_latex, as_printed, encoder_table, fusion_table, fusion_weight_table
from blemore.report.published import ENCODER_LINES, FUSION_LINES

FIGURES = {"ACC_P": 0.4, "ACC_S": 0.2, "Score": 0.3}
TEST = {"ACC_P": 0.35, "ACC_S": 0.15, "Score": 0.25}


def result(*members, test=None, better=0.0):
    def block(shift):
        return {
            "mean": {name: value + shift for name, value in FIGURES.items()},
            "std": dict.fromkeys(FIGURES, 0.02),
            "folds": [{"weights": [0.3, 0.7][: len(members)]}, {"weights": [0.5, 0.5][: len(members)]}],
        }

    return {
        "members": list(members),
        "protocols": {"paper": block(better), "nested": block(0)},
        "intervals": {"nested": {"Score": [0.25, 0.351]}},
        "test": test,
    }


RESULTS = {
    "s4d": result("s4d/own"),
    "a_b<c": result("a_b<c/mlp"),
    "twelve": result("s4d/own", "wav2vec2/mlp_1024", test=TEST, better=0.1),
    "all": result("s4d/own", "prosody/mlp_1024", test=TEST),
}
BASELINES = {"single": {"ACC_P": 0.08, "ACC_S": 0.0, "Score": 0.04}}


def line(table, system, section=None):
    chosen = table[table["", "system"] == system]
    return (chosen if section is None else chosen[chosen["", "section"] == section]).iloc[0]


def test_table_1_has_the_papers_lines_in_its_order_and_then_ours():
    table = encoder_table(RESULTS)
    assert table["", "system"].tolist() == [*(one.text for one in ENCODER_LINES), "CLIP", "HuBERT", "a_b<c"]
    s4d = line(table, "S4D-ViTMoE (face)")
    assert (s4d[PRINTED, "ACC_P"], s4d[PRINTED, "ACC_P_std"], s4d[PRINTED, "Score"]) == (0.340, 0.024, 0.240)
    assert (s4d[TUNED, "Score"], s4d[NESTED, "Score"], s4d[NESTED, "Score_high"]) == (0.3, 0.3, 0.351)
    assert pd.isna(line(table, "HiCMAE")[TUNED, "Score"]), "what was not run here has a dash"
    assert pd.isna(line(table, "a_b<c")[PRINTED, "Score"])


def test_table_2_sets_test_figures_beside_test_figures():
    table = fusion_table(RESULTS, BASELINES)
    assert table["", "system"].tolist()[: len(FUSION_LINES)] == [one.text for one in FUSION_LINES]
    tested, validated = line(table, "12-enc + Gemini"), line(table, "12-encoder + Gemini")
    assert (tested[PRINTED, "Score"], tested[NESTED, "Score"], validated[NESTED, "Score"]) == (0.279, 0.25, 0.3)
    assert pd.isna(tested[TUNED, "Score"])
    assert validated[TUNED, "Score"] == pytest.approx(0.4)
    assert line(table, "Most frequent emotion")[TUNED, "ACC_P"] == 0.08
    assert [line(table, "all", section)[NESTED, "Score"] for section in ("Only here", "Only here (test)")] == [0.3, 0.25]


def test_table_3_averages_weights_over_folds():
    table = fusion_weight_table(RESULTS)
    s4d, prosody = line(table, "S4D-ViTMoE (face)"), line(table, "prosody")
    assert (s4d[PRINTED, "nine"], s4d[PRINTED, "twelve"], s4d[TUNED, "twelve"], prosody[NESTED, "all"]) == pytest.approx((0.094, 0.117, 0.4, 0.6))
    assert pd.isna(prosody[TUNED, "twelve"])
    weights = table[~table["", "section"].isin(["Validation", "Test"])]
    assert weights[PRINTED, "twelve"].sum() == pytest.approx(1)
    assert weights[TUNED, "twelve"].sum() == pytest.approx(1)
    assert line(table, "Score", "Test")[NESTED, "twelve"] == 0.25
    assert line(table, "Score", "Validation")[PRINTED, "twelve"] == 0.268


def test_several_heads_of_an_encoder_count_together():
    table = fusion_weight_table({"all": result("wav2vec2/mlp_1024", "wav2vec2/mlp_512")})
    assert line(table, "Wav2Vec2 (audio)")[TUNED, "all"] == pytest.approx(1)


def test_csv_holds_the_numbers_and_text_what_the_paper_prints():
    table = encoder_table(RESULTS)
    read = pd.read_csv(io.StringIO(as_csv(table)))
    assert read["printed ACC_P"].tolist() == [*table[PRINTED, "ACC_P"].tolist()[:-1], pytest.approx(float("nan"), nan_ok=True)]
    printed = as_printed(table)
    assert " ".join(printed.iloc[0]) == "V .340±.024 .140±.018 .240 .400±.020 .200±.020 .300±.020 .400±.020 .200±.020 .300±.020 [.250, .351]"
    assert printed.iloc[-1].tolist()[1:4] == ["–", "–", "–"]


@pytest.mark.parametrize("table", [encoder_table(RESULTS), fusion_table(RESULTS, BASELINES), fusion_weight_table(RESULTS)])
def test_latex_and_html_are_whole_and_escaped(table):
    latex, html = as_latex(table, "A caption.", "tab:one"), as_html(table, "A title", "A note.")
    body = [row for row in latex.splitlines() if row.endswith(r"\\")]
    assert len(body) == len(table) + 2
    assert {row.count("&") for row in body[2:]} == {as_printed(table).shape[1] + 1}
    assert latex.count("{table*}") == 2
    assert "a_b" not in latex, "an underscore ends LaTeX"
    assert "<c" not in html
    rows = list(ElementTree.fromstring(html.partition("<h1>")[2].partition("</p>")[2].partition("</body>")[0].strip()).iter("tr"))
    assert len(rows) == len(table) + 2


def test_what_the_server_answered_stands_beside_the_printed_test_figures():
    figures = {"ACC_P": 0.4, "ACC_S": None, "Score": 0.3}
    submitted = [ServerScores("twelve", "pooled", True, figures), ServerScores("mine", "official_test", False, figures)]
    table = fusion_table(RESULTS, BASELINES, submitted)
    twelve, mine = (table.iloc[row] for row in (-2, -1))
    assert (twelve["", "system"], mine["", "system"]) == ("12-enc + Gemini, pooled", "mine, official_test, replaced since")
    assert (twelve["printed", "Score"], twelve["here, by the server", "Score"]) == (0.279, 0.3)
    assert np.isnan(mine["printed", "Score"])
    assert ".400" in as_html(table, "", "")
    assert "server" not in as_html(fusion_table(RESULTS, BASELINES), "", "")
