"""What checks leave out for speed is nothing that they would find."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from trainer.base_model import find_tokenizer
from trainer.data_checks.characters import find_mojibake, repair_mojibake
from trainer.data_checks.lengths import check_tokens

BASE_MODEL = "all-MiniLM-L6-v2"
LIMIT = 16
storable = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
# Letters of many languages, signs and emoji; what is decoded wrongly is mostly such.
texts = st.text(storable, max_size=12)
wrong = st.sampled_from(
    ["latin-1", "cp1252", "cp1251", "cp1250", "cp437", "mac_roman", "iso8859_2", "cp1253"]
)


@given(text=texts)
@example(text="caf\xc3 ")
@example(text="Ã")
@example(text="Ã?")
@settings(deadline=None, max_examples=400)
def test_every_text_that_ftfy_would_change_is_looked_at(text: str) -> None:
    check(text)


@given(text=texts, encoding=wrong, before=texts)
@settings(deadline=None, max_examples=800)
def test_every_wrongly_decoded_text_is_looked_at(text: str, encoding: str, before: str) -> None:
    check(before + text.encode().decode(encoding, "ignore"))


def check(text: str) -> None:
    rows = pl.DataFrame({"row": [0], "raw": [None], "text": [text]}, schema_overrides=ROW)
    repaired = repair_mojibake(text)
    expected = [] if repaired == text else [(0, f"reads {repaired}")]
    assert find_mojibake(rows).rows() == expected


ROW = {"row": pl.UInt32, "raw": pl.String}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """The embedded base model's, which cuts nothing."""
    found = Tokenizer.from_file(str(find_tokenizer(BASE_MODEL)))
    found.no_truncation()
    found.no_padding()
    return found


@given(text=st.text(storable, min_size=1, max_size=40))
@example(text="ﷺ")
@example(text="각각각각각각각")
@settings(deadline=None, max_examples=100)
def test_every_text_with_too_many_tokens_is_counted(tokenizer: Tokenizer, text: str) -> None:
    # The sample is the first of the two; so the text is counted for its length alone.
    rows = pl.DataFrame({"row": [0, 1], "text": ["a", text]}, schema_overrides={"row": pl.UInt32})
    counts = [len(one.ids) for one in tokenizer.encode_batch_fast(rows["text"].to_list())]
    seed = next(seed for seed in range(100) if rows.sample(1, seed=seed)["row"].to_list() == [0])
    found = check_tokens(rows, base_model=BASE_MODEL, limit=LIMIT, sample=1, seed=seed)
    assert found.found["row"].to_list() == [row for row in (0, 1) if counts[row] > LIMIT]
