"""The page as text; the browser looks at it in test_page_in_browser.py."""

from __future__ import annotations

import base64
import hashlib
import html
import re

import msgspec

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


def test_each_threshold_basis_is_told_in_words(tiny_report: Report) -> None:
    for basis, words in (
        ("in-scope", "in-scope validation utterances alone"),
        ("out-of-scope", "in-scope and out-of-scope validation utterances"),
        ("default", "validation is too small"),
    ):
        changed = msgspec.structs.replace(tiny_report, threshold_basis=basis)
        assert words in render_page(changed)
