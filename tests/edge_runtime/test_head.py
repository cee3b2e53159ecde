from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.errors import BundleDamagedError
from edge_runtime.head import Head, encode_head, normalize, read_head


def array(*shape: int, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def head(*, normalized: bool = True) -> Head:
    return Head(
        weight=array(3, 8),
        bias=array(3),
        normalized=normalized,
        directions=normalize(array(3, 8)),
        whitening=array(8, 8),
        whitened_means=array(3, 8),
        prototypes=normalize(array(6, 8)),
        neighbours=normalize(array(20, 8)),
    )


def test_logits_are_a_linear_layer_over_the_embedding() -> None:
    one = head(normalized=False)
    expected = one.weight @ array(8, seed=2) + one.bias
    np.testing.assert_allclose(one.logits(array(8, seed=2)), expected, rtol=1e-5)


def test_a_normalized_head_does_not_see_the_length() -> None:
    embedding = array(8, seed=2)
    np.testing.assert_allclose(head().logits(embedding * 7), head().logits(embedding), rtol=1e-4)


def test_many_embeddings_get_the_logits_of_one_by_one() -> None:
    rows = array(5, 8, seed=3)
    together = head().logits(rows)
    assert together.shape == (5, 3)
    np.testing.assert_allclose(together, [head().logits(row) for row in rows], rtol=1e-5)


def test_an_embedding_of_zeros_stays_finite() -> None:
    assert np.isfinite(head().logits(np.zeros(8, dtype=np.float32))).all()


def test_a_head_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = head()
    (tmp_path / "head.npz").write_bytes(encode_head(written))

    found = read_head(tmp_path / "head.npz")

    assert found.normalized is True
    for name in ("weight", "bias", "directions", "whitening", "whitened_means"):
        assert np.array_equal(getattr(found, name), getattr(written, name))
        assert getattr(found, name).dtype == np.float32
    for name in ("prototypes", "neighbours"):
        # Half the bytes for three digits.
        assert getattr(found, name).dtype == np.float32
        assert 0 < np.abs(getattr(found, name) - getattr(written, name)).max() < 1e-3


def test_what_a_head_does_not_have_is_not_written(tmp_path: Path) -> None:
    bare = Head(weight=array(3, 8), bias=array(3), normalized=False)
    (tmp_path / "head.npz").write_bytes(encode_head(bare))

    found = read_head(tmp_path / "head.npz")

    assert found.normalized is False
    assert (found.directions, found.whitening) == (None, None)
    assert (found.prototypes, found.neighbours) == (None, None)


def test_equal_heads_are_equal_bytes() -> None:
    assert encode_head(head()) == encode_head(head())


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"no head at all", encode_head(head())[:-40]], ids=range(4)
)
def test_a_file_that_is_no_head_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "head.npz").write_bytes(content)
    with pytest.raises(BundleDamagedError, match="cannot read the head"):
        read_head(tmp_path / "head.npz")


def test_a_head_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleDamagedError, match=r"cannot read the head .*head\.npz"):
        read_head(tmp_path / "head.npz")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("weight", array(3), "weight has 1 dimensions"),
        ("bias", array(4), r"bias has shape \(4,\), not \(3,\)"),
        ("directions", array(3, 9), r"directions has shape \(3, 9\), not \(3, 8\)"),
        ("whitening", array(8, 9), r"whitening has shape \(8, 9\), not \(8, 8\)"),
        ("whitened_means", array(2, 8), r"whitened_means has shape \(2, 8\)"),
        ("prototypes", array(6, 9), r"prototypes have shape \(6, 9\), not \(\.\.\., 8\)"),
        ("neighbours", array(20, 9), r"neighbours have shape \(20, 9\), not \(\.\.\., 8\)"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(
    tmp_path: Path, name: str, value: NDArray[np.float32], said: str
) -> None:
    content = encode_head(msgspec.structs.replace(head(), **{name: value}))
    (tmp_path / "head.npz").write_bytes(content)
    with pytest.raises(BundleDamagedError, match=said):
        read_head(tmp_path / "head.npz")
