import json

import numpy as np
import pytest

from blemore.fusion.scores import read_scores, write_scores
from blemore.inspection.damage import checks, damage
from blemore.job import BadInput

SCORES = {"chosen": {"alpha": 0.1, "weights": (0.25, 0.75)}, "clips": {1: 3, 10: 4, 2: 5}, "test": None}


@pytest.fixture
def path(tmp_path):
    table = tmp_path / "results/fusion/all/decisions.csv"
    table.parent.mkdir(parents=True)
    table.write_text("clip\na\n")
    write_scores(table.with_name("scores.json"), SCORES, [table])
    return table.with_name("scores.json")


def test_scores_come_back_as_json_has_them(path):
    found = read_scores(path)
    assert {name: found[name] for name in SCORES} == json.loads(json.dumps(SCORES))
    assert [damage(*check) for check in checks(path.parents[2], {"features": {}})] == [None]


def test_no_changed_figure_is_believed(path):
    whole, draw = path.read_bytes(), np.random.default_rng(0)
    for _ in range(500):
        flipped = bytearray(whole)
        flipped[draw.integers(len(whole))] ^= 1 << draw.integers(8)
        path.write_bytes(flipped)
        if (said := damage(path, lambda: read_scores(path))) is None:
            assert json.loads(flipped) == json.loads(whole)  # a space that became another
        else:
            assert said == f"{path} is damaged; delete it and run again."


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": "x"}'])
def test_what_is_no_such_file_is_damaged(path, content):
    path.write_text(content)
    with pytest.raises(BadInput, match=r"/scores\.json is damaged; delete it and run again\.$"):
        read_scores(path)


@pytest.mark.parametrize("content", ["clip\nb\n", None])
def test_a_table_that_is_another_or_gone_is_named_by_reader_and_validation(path, content):
    table = path.with_name("decisions.csv")
    table.unlink() if content is None else table.write_text(content)
    sentence = f"{table} is not the table that {path} was written with; delete both and run again."
    with pytest.raises(BadInput) as refused:
        read_scores(path)
    assert str(refused.value) == sentence
    assert [damage(*check) for check in checks(path.parents[2], {"features": {}})] == [sentence]
