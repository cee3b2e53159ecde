"""What Terraform says, and what of it reaches a person."""

from __future__ import annotations

import json

import pytest

from greengrass_components.child_process import CommandResult
from greengrass_components.infrastructure.terraform_messages import (
    first_error,
    json_messages,
    message_text,
)


def failed(*, out: str = "", err: str = "", code: int = 1) -> CommandResult:
    return CommandResult(code=code, out=out, err=err)


def diagnostic(summary: str, detail: str = "", severity: str = "error") -> str:
    return json.dumps({"diagnostic": {"severity": severity, "summary": summary, "detail": detail}})


def test_a_line_of_the_json_view_is_its_message() -> None:
    assert message_text('{"@message": "Creating...", "type": "apply_start"}') == "Creating..."


def test_of_a_message_of_several_lines_the_first_is_told() -> None:
    assert message_text('{"@message": "one\\ntwo", "type": "log"}') == "one"


def test_a_message_of_no_interest_is_not_told() -> None:
    assert message_text('{"@message": "Refreshing...", "type": "refresh_start"}') == ""


def test_a_plain_line_is_told_as_it_is() -> None:
    assert message_text("Success!  ") == "Success!"


def test_lines_that_are_no_messages_are_passed_over() -> None:
    assert list(json_messages('plain\n[1]\n{"a": 1}\n{"b"')) == [{"a": 1}]


def test_a_warning_is_no_error() -> None:
    out = "\n".join([diagnostic("Old", severity="warning"), diagnostic("Bad", "Very bad.")])

    assert first_error(failed(out=out)) == "Bad: Very bad."


def test_an_error_names_its_place() -> None:
    place = {"filename": "main.tf", "start": {"line": 7}}
    entry = {"severity": "error", "summary": "Bad", "detail": "", "range": place}

    assert first_error(failed(out=json.dumps({"diagnostic": entry}))) == "Bad in main.tf line 7"


def test_of_a_long_error_the_first_paragraph_is_kept() -> None:
    out = diagnostic("Summary\n\nmore", "First\nparagraph.\n\nSecond.")

    assert first_error(failed(out=out)) == "Summary: First paragraph."


@pytest.mark.parametrize(
    ("detail", "advice"),
    [
        ("No valid credential sources found", "sign in to AWS"),
        ("dial tcp\n\n127.0.0.1:9: connect: connection refused", "nothing answers"),
    ],
)
def test_an_error_that_says_it_badly_comes_with_advice(detail: str, advice: str) -> None:
    assert advice in first_error(failed(out=diagnostic("Failed", detail)))


def test_an_error_in_words_is_found() -> None:
    assert first_error(failed(err="\n│ Error: Backend changed\n│ \n")) == "Backend changed"


def test_an_end_without_a_word_is_told_by_its_exit_code() -> None:
    assert first_error(failed(code=-9)) == "exit code -9"
