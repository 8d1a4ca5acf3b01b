import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemore.media.blocks import read_blocks


@pytest.mark.parametrize("pool", [nullcontext, partial(ThreadPoolExecutor, 1)])
@given(items=st.lists(st.integers(), max_size=20), size=st.integers(1, 7))
def test_reading_in_blocks_loses_and_moves_nothing(pool, items, size):
    with pool() as reader:
        blocks = list(read_blocks(iter(items), size, reader))
    assert [item for block in blocks for item in block] == items
    assert all(len(block) == size for block in blocks[:-1])


def test_a_block_that_was_given_is_not_held():
    with ThreadPoolExecutor(1) as pool:
        for reader in (None, pool):
            blocks = read_blocks(({index} for index in range(9)), 2, reader)
            first = weakref.ref(next(blocks)[0])
            assert first() is None


def test_the_next_block_is_read_while_one_is_worked_on():
    read = Event()

    def items():
        yield 1
        read.set()
        yield 2

    with ThreadPoolExecutor(1) as reader:
        blocks = read_blocks(items(), 1, reader)
        assert next(blocks) == [1]
        assert read.wait(10)
        assert list(blocks) == [[2]]


def test_a_fault_in_reading_comes_where_the_block_was_expected():
    """With the items of its block before it."""

    def items():
        yield from range(3)
        raise ValueError("damaged")

    with ThreadPoolExecutor(1) as reader:
        blocks = read_blocks(items(), 2, reader)
        assert next(blocks) == [0, 1]
        with pytest.raises(ValueError, match="damaged"):
            next(blocks)
