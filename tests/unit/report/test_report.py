import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from blemore.report.content import cells
from blemore.report.page import render
from blemore.report.published import PUBLISHED
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
)


def block(score, uses_scored_fold, weights=(0.25, 0.75)):
    values = {"ACC_P": score + 0.1, "ACC_S": score - 0.1, "Score": score}
    fold = {"fold": 0, "alpha": 0.1, "beta": 0.2, "weights": list(weights), **values, "n_clips": 5}
    return {
        "uses_scored_fold": uses_scored_fold,
        "epochs_on_scored_fold": uses_scored_fold,
        "folds": [fold, fold | {"fold": 1, "weights": [weights[0] + 0.2, weights[1] - 0.2]}],
        "mean": values,
        "std": dict.fromkeys(values, 0.02),
        "pooled": values,
        "n_clips": 10,
    }


def result(name, paper, nested, members=("wav2vec2/mlp_1024", "prosody/mlp_1024")):
    return {
        "ensemble": name,
        "members": list(members),
        "epochs_chosen_on_scored_fold": False,
        "without_tuned_epochs": [],
        "protocols": {"paper": block(paper, True), "nested": block(nested, False)},
        "intervals": {"nested": {"Score": [nested - 0.05, nested + 0.05]}},
        "chosen": {"weights": [0.3, 0.7], "alpha": 0.1, "beta": 0.2},
        "clips": {"scored": {"total": 10, "missing": {"wav2vec2/mlp_1024": 1, "prosody/mlp_1024": 2}, "guessed": 0}},
        "test": None,
        "baselines": {"single": {"decision": {"ang": 100}, "ACC_P": 0.2, "ACC_S": 0.0, "Score": 0.1}},
    }


def page(results, content=None, **changes):
    more = {
        "note": "a note",
        "used": ["wav2vec2"],
        "left_out": [],
        "baselines": results[0]["baselines"],
        "epochs_on_scored_fold": False,
        "without_tuned_epochs": [],
        "content": {"clips": {"id": ["A1_clip"]}, "folds": [0, 1], "ensembles": {one["ensemble"]: one for one in results}, **(content or {})},
        "pictures": {},
        "pictures_note": "No faces are embedded.",
        "run": {"tables": [{"caption": "Versions", **cells(pd.DataFrame({"package": ["numpy"]}))}], "note": "", "configuration": "seeds: [1]"},
    }
    return render(score_table(results), **(more | changes))


def without_plotly(html):
    """The library's own code is full of what the tests look for."""
    return re.sub(r"<script>/\*\*\n\* plotly\.js.*?</script>", "", html, flags=re.DOTALL)


def test_the_best_nested_score_comes_first_not_the_best_tuned_one():
    table = score_table([result("a", paper=0.9, nested=0.2), result("b", paper=0.5, nested=0.4)])
    assert table["name"].tolist() == ["b", "a"]
    assert table.loc[0, ["Score", "nested_Score", "ACC_P", "missing"]].tolist() == pytest.approx([0.5, 0.4, 0.6, 2])


def test_the_text_table_shows_both_scores():
    wide = result("wide", 0.5, 0.25)
    text = as_text(score_table([wide]), wide["baselines"], "a note")
    assert text.splitlines()[0].split() == ["encoder", "ACC_P", "ACC_S", "Score", "nested", "Score"]
    assert re.split(r"\s{2,}", text.splitlines()[1]) == ["wide", "0.600 ± 0.020", "0.400 ± 0.020", "0.500 ± 0.020", "0.250 ± 0.020"]
    assert re.split(r"\s{2,}", text.splitlines()[2]) == ["trivial single", "0.200", "0.000", "0.100"]
    assert text.endswith("a note\n")


def test_weights_are_averaged_over_folds():
    table = weight_table(result("a", 0.5, 0.4))
    weights = {row["protocol"]: list(row.values())[2:] for row in table.to_dict("records")}
    assert weights["nested"] == pytest.approx([0.35, 0.65])
    assert weights["new clips"] == [0.3, 0.7]
    assert table["scored fold"].tolist() == ["used, epochs too", "not used", "none: chosen on all folds"]


def test_every_fold_of_every_protocol_has_its_thresholds():
    table = threshold_table(result("a", 0.5, 0.4))
    assert table[["protocol", "fold"]].to_numpy().tolist() == [["paper", 0], ["paper", 1], ["nested", 0], ["nested", 1]]
    assert table["scored fold"].tolist() == ["used, epochs too"] * 2 + ["not used"] * 2
    assert "weights" not in table


HOSTILE = [
    "</script><script>alert(1)</script>\u2028<!--",
    "</pre><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    "\u202egnp.101A\u2066\u200f",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;]]>\\u003c/script>",
]


def page_of(text: str) -> str:
    """A page in which everything that can be named is named so: clips, actors, encoders, labels, settings."""
    run = {"tables": [{"caption": text, "columns": [text], "rows": [[text, text]]}], "note": text, "configuration": text}
    content = {"clips": {"id": [text], "actor": [text], "truth": [text]}, "members": {text: {"curves": []}}}
    made = page([result(text, 0.5, 0.4)], content, run=run, note=text, used=[text], left_out=[text], pictures={text: {}}, pictures_note=text)
    return without_plotly(made)


class Structure(HTMLParser):
    """Elements with the names of their attributes, the text between them, and what is embedded as data."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[str]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, [name for name, _ in attributes]))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_are_text_and_change_no_element(hostile):
    html = page_of(hostile)
    shown, plain = Structure(html), Structure(page_of("harmless"))
    assert shown.elements == plain.elements
    assert sum(text.strip() == hostile.strip() for text in shown.texts) == sum(text.strip() == "harmless" for text in plain.texts) > 3
    embedded = re.search(r'<script id="content" type="application/json">(.*?)</script>', html, re.DOTALL).group(1)
    assert not set(embedded) & set("<>&'\u2028")
    assert json.loads(embedded)["clips"]["id"] == [hostile]


def test_the_page_needs_no_network_and_may_not_use_one():
    html = page([result("wav2vec2", 0.5, 0.4)])
    assert not re.findall(r"""<(?:link|iframe|object|embed)|(?:src|href)="(?!#)|url\(|@import""", without_plotly(html))
    directives = re.search(r'Content-Security-Policy" content="([^"]*)"', html).group(1).split("; ")
    assert directives[0] == "default-src 'none'"
    assert not any("http" in directive or "*" in directive for directive in directives)
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert directives[1] == "script-src " + " ".join(f"'sha256-{digest}'" for digest in digests)


def test_numbers_that_json_cannot_say_are_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        page([result("a", 0.5, 0.4)], {"members": {"a": float("nan")}})


def test_published_numbers_stand_beside_ours():
    assert "0.294 / 0.120 / 0.207" in page([result("wav2vec2", 0.5, 0.4)])


def test_the_score_of_labelled_test_clips_is_shown_and_otherwise_not_mentioned():
    tested = result("wav2vec2", 0.5, 0.4) | {"test": {"ACC_P": 0.31, "ACC_S": 0.17, "Score": 0.24, "n_clips": 9}}
    assert "0.310 / 0.170 / 0.240" in page([tested])
    assert "test ACC_P" not in page([result("wav2vec2", 0.5, 0.4)])
    assert score_table([tested]).loc[0, "test_Score"] == 0.24


def test_encoders_that_were_left_out_are_named():
    assert "1 of 3 encoders took part; left out: s4d, gemini." in page([result("wav2vec2", 0.5, 0.4)], left_out=["s4d", "gemini"])


def test_stopping_on_the_scored_fold_is_said():
    assert "except the epoch" in page([result("a", 0.5, 0.4)], epochs_on_scored_fold=True)
    assert "except the epoch" not in page([result("a", 0.5, 0.4)])
    assert "but for s4d/own not the epoch" in page([result("a", 0.5, 0.4)], without_tuned_epochs=["s4d/own"])


@pytest.mark.parametrize("name", sorted(PUBLISHED.keys() - {"gemini"}))
def test_published_scores_are_the_means_of_their_halves(name):
    published = PUBLISHED[name]
    assert published.score == pytest.approx((published.presence + published.salience) / 2, abs=0.0011)


def test_geminis_score_is_as_printed_though_its_halves_give_another():
    assert PUBLISHED["gemini"][:3] == (0.320, 0.137, 0.223)


FIGURES = {"ACC_P": 0.4, "ACC_S": None, "Score": 0.3}
INTERVALS = {"ACC_P": [0.3, 0.5], "ACC_S": None, "Score": None}
DIFFERENCE = {"difference": 0.05, "low": -0.01, "high": 0.1}


def test_decisions_without_thresholds_say_what_they_used():
    row = {"decoder": "expected_score", "actor_centred": True, "protocol": "nested", "uses_scored_fold": False, "less_thresholds": DIFFERENCE}
    table = decoder_table({"decoders": [row | FIGURES | {"intervals": INTERVALS}]})
    assert table.iloc[0].tolist() == [
        "expected score", "by actor (transductive)", "nested", "no", "0.400 [0.300, 0.500]", "–", "0.300", "+0.050 [-0.010, +0.100]"
    ]  # fmt: skip


def test_thresholds_of_a_row_are_scored_on_the_folds_of_the_columns():
    found = {"folds": [0, 3], "alpha": [0.1, 0.2], "beta": [0.3, 0.4], "transfer": [[0.5, 0.6], [0.7, 0.8]]}
    table = transfer_table({"sensitivity": found})
    assert table.columns.tolist() == ["fold", "alpha", "beta", "on fold 0", "on fold 3"]
    assert table.to_numpy().tolist() == [[0, 0.1, 0.3, 0.5, 0.6], [3, 0.2, 0.4, 0.7, 0.8]]


def test_each_statistic_stands_beside_its_null():
    test = {"p_value": 0.25, "null_mean": 0.1, "null_low": 0.05, "null_high": 0.2}
    table = null_table({"sensitivity": {"statistics": {"beta_std": 0.12}, "nulls": {"clips_of_random_actors": {"beta_std": test}}}})
    assert table.iloc[0].tolist() == ["beta std", 0.12, "clips of random actors", "0.050 to 0.200", 0.25]


def test_groups_and_left_out_members():
    group = {"kind": "ratio", "group": "single", "n_clips": 9, "n_blends": 0, "n_actors": 3, "intervals": INTERVALS, **FIGURES}
    assert group_table({"groups": [group]}).iloc[0].tolist() == ["ratio", "single", 9, 0, 3, "0.400 [0.300, 0.500]", "–", "0.300"]
    table = left_out_table({"left_out": [{"member": "clip/mlp", "ACC_P": 0.4, "ACC_S": 0.2, "Score": 0.3, "adds": DIFFERENCE}]})
    assert table.iloc[0].tolist() == ["clip/mlp", 0.4, 0.2, 0.3, "+0.050 [-0.010, +0.100]"]
    assert left_out_table({"left_out": []}).empty
