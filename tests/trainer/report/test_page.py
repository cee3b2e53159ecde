"""The page as text; the browser looks at it in test_page_in_browser.py."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from typing import Any

import msgspec
import pytest

from trainer.calibration_basis import CalibrationBasis
from trainer.report import Report
from trainer.report.page import render_page


def test_equal_reports_are_equal_pages(tiny_report: Report) -> None:
    assert render_page(tiny_report) == render_page(tiny_report)


def test_the_policy_lets_the_pages_own_style_and_script_through_and_nothing_else(
    tiny_report: Report,
) -> None:
    page = render_page(tiny_report)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in html.unescape(policy[1]).split(";"))
    assert rules["default-src"] == "'none'"
    for kind in ("style", "script"):
        (content,) = re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"


def test_the_page_names_no_other_place(tiny_report: Report) -> None:
    page = render_page(tiny_report)
    assert re.findall(r"(?:src|href|action)=\"(?!#|data:,\")", page) == []
    assert re.findall(r"https?://", page) == []
    assert re.findall(r"url\(|@import|style=", page) == []


def test_a_models_every_wrong_answer_and_its_words_are_told(tiny_report: Report) -> None:
    page = html.unescape(render_page(tiny_report))
    for pair in (*tiny_report.rejections, *tiny_report.acceptances, *tiny_report.confusions):
        assert all(one.text in page for one in pair.examples)


@pytest.mark.parametrize(
    ("basis", "words"),
    [
        ((30, 0, "default", 0, 0), "is the default: validation is too small"),
        ((0, 0, "default", 0, 0), "is the default, because no validation utterance has an intent"),
        ((90, 7, "in-scope", 0, 0), "fitted on 90 in-scope validation utterances alone"),
        ((90, 7, "in-scope", 0, 0), "90 in-scope validation utterances, 7 of them answered wrong"),
        ((90, 7, "out-of-scope", 60, 0), "out of scope on 60 of validation. It"),
        ((90, 7, "out-of-scope", 26, 144), "26 of validation and 144 of the training, which"),
    ],
)
def test_what_decided_the_calibration_is_told_in_words(
    tiny_report: Report, basis: tuple[Any, ...], words: str
) -> None:
    changed = msgspec.structs.replace(tiny_report, basis=CalibrationBasis(*basis))
    assert words in render_page(changed)


def test_how_many_utterances_were_cut_is_told(tiny_report: Report) -> None:
    assert "utterances were cut" not in render_page(tiny_report)
    changed = msgspec.structs.replace(tiny_report, cut=2, max_tokens=64)
    assert "before the cut at 64 (number of utterances); 2 of 30 utterances were cut" in (
        render_page(changed)
    )
