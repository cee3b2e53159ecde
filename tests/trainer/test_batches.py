"""Batches: every row once, similar lengths together, padding masked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainer.batches import batches_in_order, pad, shuffled_batches

LENGTHS = st.lists(st.integers(1, 64), min_size=1, max_size=300)
SIZES = st.integers(1, 40)
ROWS = st.lists(st.lists(st.integers(1, 999), min_size=1, max_size=20), min_size=1, max_size=20)


@given(LENGTHS, SIZES, st.integers(0, 2**31))
def test_an_epoch_holds_every_row_once(lengths: list[int], size: int, seed: int) -> None:
    batches = shuffled_batches(lengths, batch_size=size, seed=seed)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in batches)


@given(LENGTHS, SIZES)
def test_an_epoch_has_no_more_batches_than_the_schedule_counts_on(
    lengths: list[int], size: int
) -> None:
    assert len(shuffled_batches(lengths, batch_size=size, seed=1)) == -(-len(lengths) // size)


@given(LENGTHS, SIZES, st.integers(0, 2**31))
def test_the_same_seed_gives_the_same_epoch(lengths: list[int], size: int, seed: int) -> None:
    first = shuffled_batches(lengths, batch_size=size, seed=seed)
    assert shuffled_batches(lengths, batch_size=size, seed=seed) == first


def test_another_seed_gives_another_epoch() -> None:
    lengths = [row % 7 + 1 for row in range(100)]
    first = shuffled_batches(lengths, batch_size=8, seed=1)
    assert shuffled_batches(lengths, batch_size=8, seed=2) != first


def test_rows_of_one_length_share_batches() -> None:
    lengths = [5, 9] * 32
    batches = shuffled_batches(lengths, batch_size=8, seed=1)
    assert [len({lengths[row] for row in batch}) for batch in batches] == [1] * 8


@given(LENGTHS, SIZES)
def test_evaluation_sees_every_row_once_by_length(lengths: list[int], size: int) -> None:
    rows = [row for batch in batches_in_order(lengths, batch_size=size) for row in batch]
    assert sorted(rows) == list(range(len(lengths)))
    assert [lengths[row] for row in rows] == sorted(lengths)


@given(ROWS, st.integers(0, 3))
def test_padding_is_masked_and_nothing_else_is(rows: list[list[int]], padding_id: int) -> None:
    ids, mask = pad(rows, padding_id=padding_id)
    assert ids.shape == mask.shape == (len(rows), max(len(row) for row in rows))
    for row, padded, kept in zip(rows, ids.tolist(), mask.tolist(), strict=True):
        rest = ids.shape[1] - len(row)
        assert padded == row + [padding_id] * rest
        assert kept == [1] * len(row) + [0] * rest
