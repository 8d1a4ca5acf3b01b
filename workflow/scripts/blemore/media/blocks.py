"""Reading in blocks, ahead of what is worked on."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def read_blocks(items: Iterable[T], size: int, reader: Executor | None = None) -> Iterator[list[T]]:
    """Items in lists of `size`, the last one shorter. No list is held here once it is given, since frames are large.

    Args:
        reader: reads the next list while one is worked on; None: it is read when it is asked for.

    Raises (while iterated):
        Whatever reading raises.
    """
    waiting = iter(items)
    blocks = iter(lambda: list(islice(waiting, size)), [])
    return blocks if reader is None else _read_ahead(blocks, reader)


def _read_ahead(blocks: Iterator[list[T]], reader: Executor) -> Iterator[list[T]]:
    coming: deque[Future[list[T]]] = deque([reader.submit(next, blocks, [])])
    while coming[0].result():
        coming.append(reader.submit(next, blocks, []))
        yield coming.popleft().result()
