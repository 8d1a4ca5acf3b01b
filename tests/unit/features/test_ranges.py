import pytest

from blemore.features.ranges import highest, layer_ranges, range_name

PAPER = [[0, 5], [6, 12], [13, 24]]


def test_every_single_layer_and_the_ranges_of_the_paper():
    named = layer_ranges(PAPER)
    assert list(named) == [*map(str, range(25)), "0-5", "6-12", "13-24"]
    assert named["7"] == (7, 7)
    assert named["6-12"] == (6, 12)
    assert highest(PAPER) == 24


def test_a_range_of_one_layer_is_that_layer():
    assert list(layer_ranges([[2, 2], [0, 1]])) == ["0", "1", "2", "0-1"]


@pytest.mark.parametrize(("first", "last", "name"), [(6, 12, "6-12"), (3, 3, "3")])
def test_names_of_ranges(first, last, name):
    assert range_name(first, last) == name
