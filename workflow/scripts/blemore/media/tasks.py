"""Tasks that ask for something expensive, and get it in batches.

A task is a generator: it yields a list of questions, is sent the list of their answers, and returns its result. Tasks that
run side by side have their questions answered at once; a result never depends on who else was asking.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")
Task = Generator[list[Any], list[Any], T]


class Running:
    """A task that has been started.

    Attributes:
        questions: what it asks for now.
        done: whether it has a `result`.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self.result: Any = None
        self.done = False
        self.proceed(None)

    def proceed(self, answers: list[Any] | None) -> None:
        """Sends the answers, and waits for the next questions or the result."""
        self.questions = []  # lets their frames go before others are read
        try:
            self.questions = self._task.send(answers)  # type: ignore[arg-type]  # the first one has to be None
        except StopIteration as end:
            self.done, self.result = True, end.value


def together(tasks: Sequence[Task[T]]) -> Task[list[T]]:
    """Several tasks as one, which asks what they ask at the same time in one list."""
    running = [Running(task) for task in tasks]
    while not all(one.done for one in running):
        answers = yield [question for one in running for question in one.questions]
        _hand_out(running, answers)
    return [one.result for one in running]


def run_tasks(tasks: Iterable[Task[T]], answer: Callable[[list[Any]], list[Any]], at_once: int) -> Iterator[T]:
    """Runs up to `at_once` tasks side by side.

    Args:
        tasks: taken from one by one, when there is room.
        answer: takes the questions that all running tasks ask at the same time, gives their answers in the same order.

    Yields:
        The results in the order of the tasks.
    """
    waiting, running = iter(tasks), list[Running]()
    while True:
        running += [Running(task) for task in islice(waiting, at_once - len(running))]
        if not running:
            return
        _hand_out(running, answer([question for one in running for question in one.questions]))
        while running and running[0].done:
            yield running.pop(0).result


def _hand_out(running: Sequence[Running], answers: Iterable[Any]) -> None:
    waiting = iter(answers)
    for one in running:
        if not one.done:
            one.proceed(list(islice(waiting, len(one.questions))))
