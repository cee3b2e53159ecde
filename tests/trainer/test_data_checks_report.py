"""The report's folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from cloudpathlib import S3Path

from edge_runtime.errors import StorageError
from tests.trainer.bucket import keys
from trainer.config import CheckSettings, DataSettings, TrainSettings
from trainer.data_checks.check import CheckResult, check_data
from trainer.data_checks.report import write_report
from trainer.errors import SourceNotFoundError

SOURCE = """text,intent
lamp on,light
lamp on,light
lamp off,light
<script>alert(1)</script>,music
play,music
,music
"""


@pytest.fixture(scope="module")
def result(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> CheckResult:
    path = tmp_path_factory.mktemp("source") / "a.csv"
    path.write_text(SOURCE)
    return check_data(
        str(path),
        data_settings=data_settings,
        train_settings=tiny_train_settings,
        settings=check_settings,
    )


def test_it_holds_a_page_for_people_and_the_check_for_machines(
    result: CheckResult, tmp_path: Path
) -> None:
    check = write_report(result, str(tmp_path / "report"))
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "check.json",
        "expectations-intents.html",
        "expectations-utterances.html",
        "findings.csv",
        "index.html",
    }
    assert check.report == str(tmp_path / "report")
    document = json.loads((tmp_path / "report" / "check.json").read_text())
    assert {"text_empty", "duplicate"} <= {one["rule"] for one in document["findings"]}
    page = (tmp_path / "report" / "index.html").read_text()
    assert "data.build would refuse them." in page
    assert "http" not in page


def test_every_row_that_was_found_is_listed(result: CheckResult, tmp_path: Path) -> None:
    write_report(result, str(tmp_path / "report"))
    with (tmp_path / "report" / "findings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(one["rule"], one["place"], one["intent"]) for one in rows] == [
        ("nothing_held_out", "", ""),  # of all rows together: for validation, and for the test
        ("nothing_held_out", "", ""),
        ("text_empty", "a.csv, line 7", "music"),
        ("duplicate", "a.csv, line 3", "light"),
    ]


def test_every_line_that_cannot_be_read_is_listed(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
) -> None:
    broken = "".join(f"lamp {number},light,too,many\n" for number in range(60))
    (tmp_path / "a.csv").write_text(SOURCE + broken)
    result = check_data(
        str(tmp_path / "a.csv"),
        data_settings=data_settings,
        train_settings=tiny_train_settings,
        settings=check_settings,
    )
    check = write_report(result, str(tmp_path / "report"))
    assert {one.rule: one.count for one in check.findings}["unreadable"] == 60
    with (tmp_path / "report" / "findings.csv").open(newline="") as file:
        rows = [one for one in csv.DictReader(file) if one["rule"] == "unreadable"]
    assert [one["detail"].partition(":")[0] for one in rows] == [
        f"a.csv, line {number}" for number in range(8, 68)
    ]


def test_a_report_is_replaced_and_something_else_is_not(
    result: CheckResult, tmp_path: Path
) -> None:
    write_report(result, str(tmp_path / "report"))
    (tmp_path / "report" / "old").touch()
    write_report(result, str(tmp_path / "report"))
    assert not (tmp_path / "report" / "old").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").touch()
    with pytest.raises(StorageError, match="holds something else"):
        write_report(result, str(tmp_path / "mine"))


def test_texts_of_the_source_cannot_become_part_of_the_page(
    data_settings: DataSettings,
    check_settings: CheckSettings,
    tiny_train_settings: TrainSettings,
    tmp_path: Path,
) -> None:
    (tmp_path / "a.csv").write_text(f"{SOURCE}<script>alert(1)</script>,music\n")
    result = check_data(
        str(tmp_path / "a.csv"),
        data_settings=data_settings,
        train_settings=tiny_train_settings,
        settings=check_settings,
    )
    write_report(result, str(tmp_path / "report"))
    for page in (tmp_path / "report").glob("*.html"):
        assert "<script" not in page.read_text()
    assert "&lt;script&gt;" in (tmp_path / "report" / "index.html").read_text()


class TestBucket:
    def test_a_report_replaces_the_one_before(
        self, s3: Any, result: CheckResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_report(result, "s3://shelf/report")
        before = keys(s3, "report/")
        assert {"check.json", "index.html", "findings.csv"} < before
        write_report(result, "s3://shelf/report")
        assert keys(s3, "report/") == before

        def break_off(*_: object) -> None:
            raise ConnectionError("the line is dead")

        monkeypatch.setattr(S3Path, "write_bytes", break_off)
        with pytest.raises(SourceNotFoundError, match="the line is dead; check the address"):
            write_report(result, "s3://shelf/report")
        # What still stands of the one before does not pass for a whole report.
        assert keys(s3, "report/") == before - {"check.json"}

    @pytest.mark.parametrize("folder", ["s3://shelf/notes", "s3://shelf/notes/letter"])
    def test_something_else_is_never_mixed_with(
        self, s3: Any, result: CheckResult, folder: str
    ) -> None:
        s3.put_object(Bucket="shelf", Key="notes/letter", Body=b"dear")
        with pytest.raises(StorageError, match="holds something else: it has no check.json"):
            write_report(result, folder)
        assert keys(s3, "notes/") == {"letter"}
