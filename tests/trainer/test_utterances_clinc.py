"""Reading the JSON form of CLINC150."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from trainer.config import DataSettings
from trainer.errors import SourceFormatError
from trainer.utterances import Utterance, read_utterances
from trainer.utterances.clinc import read_clinc
from trainer.utterances.source_file import SourceFile


def read(document: Any, settings: DataSettings) -> list[Utterance]:
    content = json.dumps(document).encode()
    return list(read_clinc(SourceFile(name="a.json", content=content), settings=settings))


def test_every_split_is_read_and_oos_lists_have_no_intent(data_settings: DataSettings) -> None:
    document = {
        "oos_test": [["is there life on mars", "oos"]],
        "val": [["hello there", "greet"]],
        "train": [["hi", "greet"], ["bye", "leave"]],
        "oos_train": [["pi", "anything"]],
    }
    found = [(u.text, u.intent, u.split, u.place) for u in read(document, data_settings)]
    assert found == [
        ("hi", "greet", "train", "a.json, train, entry 1"),
        ("bye", "leave", "train", "a.json, train, entry 2"),
        ("hello there", "greet", "validation", "a.json, val, entry 1"),
        ("pi", None, "train", "a.json, oos_train, entry 1"),
        ("is there life on mars", None, "test", "a.json, oos_test, entry 1"),
    ]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"train": [["hi", "greet"], ["hi"]]}, "a.json, train, entry 2: expected [text, intent]"),
        ({"train": [["hi", 3]]}, "a.json, train, entry 1: expected [text, intent]"),
        ({"train": {"hi": "greet"}}, "a.json, train: expected a list"),
        ({"holdout": []}, "a.json is not in the form of CLINC150"),
        ([["hi", "greet"]], "a.json is not in the form of CLINC150"),
        ({}, "a.json is not in the form of CLINC150"),
    ],
)
def test_another_form_is_refused(data_settings: DataSettings, document: Any, reason: str) -> None:
    with pytest.raises(SourceFormatError) as caught:
        read(document, data_settings)
    assert caught.value.message.startswith(reason)


def test_malformed_json_is_reported_with_its_line(data_settings: DataSettings) -> None:
    file = SourceFile(name="a.json", content=b'{\n"train": [\n["hi" "greet"]]}')
    with pytest.raises(SourceFormatError, match=r"^a\.json, line 3: malformed JSON"):
        list(read_clinc(file, settings=data_settings))


@pytest.mark.parametrize(
    ("name", "train", "out_of_scope_train"),
    [
        ("data_full.json", 15_000, 100),
        ("data_small.json", 7_500, 100),
        ("data_imbalanced.json", 10_525, 100),
        ("data_oos_plus.json", 15_000, 250),
    ],
)
def test_the_public_files_give_their_published_counts(
    data_settings: DataSettings, public_data: Path, name: str, train: int, out_of_scope_train: int
) -> None:
    utterances = read_utterances(str(public_data / "clinc150" / name), settings=data_settings)
    assert Counter((u.split, u.intent is not None) for u in utterances) == {
        ("train", True): train,
        ("validation", True): 3_000,
        ("test", True): 4_500,
        ("train", False): out_of_scope_train,
        ("validation", False): 100,
        ("test", False): 1_000,
    }
    assert len({u.intent for u in utterances if u.intent is not None}) == 150
