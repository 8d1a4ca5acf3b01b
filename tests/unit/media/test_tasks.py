"""Tasks that ask for the square of numbers; the one who answers keeps what was asked at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemore.media.tasks import run_tasks, together


def sums(*batches):
    """Asks for some batches of numbers, and returns the sum of all answers."""
    total = 0
    for batch in batches:
        total += sum((yield list(batch)))
    return total


class Squares:
    def __init__(self):
        self.asked = []

    def __call__(self, questions):
        self.asked.append(list(questions))
        return [number**2 for number in questions]


def test_what_is_asked_at_the_same_time_is_answered_at_once():
    answer = Squares()
    assert list(run_tasks([sums([1], [2]), sums([3, 4]), sums([5], [], [6])], answer, 3)) == [5, 25, 61]
    assert answer.asked == [[1, 3, 4, 5], [2], [6]]


def test_no_more_tasks_run_than_there_is_room_for():
    answer = Squares()
    assert list(run_tasks([sums([n], [n]) for n in range(5)], answer, 2)) == [0, 2, 8, 18, 32]
    assert max(map(len, answer.asked)) == 2


def test_tasks_are_taken_up_when_there_is_room_and_results_come_as_soon_as_they_can():
    started = []

    def tasks():
        for n in range(4):
            started.append(n)
            yield sums([n])

    results = run_tasks(tasks(), Squares(), 2)
    assert next(results) == 0
    assert started == [0, 1]


def test_a_task_may_ask_through_others():
    def outer():
        first = yield from together([sums([1], [2]), sums([3])])
        second = yield from together([])
        return first, second

    answer = Squares()
    assert list(run_tasks([outer(), sums([4])], answer, 2)) == [([5, 9], []), 16]
    assert answer.asked == [[1, 3, 4], [2]]


batches = st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=4)


@given(st.lists(batches, max_size=6), st.integers(1, 7))
def test_company_changes_no_result(tasks, at_once):
    expected = [sum(number**2 for batch in task for number in batch) for task in tasks]
    assert list(run_tasks([sums(*task) for task in tasks], Squares(), at_once)) == expected


def test_a_fault_of_the_one_who_answers_is_not_swallowed():
    def broken(questions):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        list(run_tasks([sums([1])], broken, 1))
