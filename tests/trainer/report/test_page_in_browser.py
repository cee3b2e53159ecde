"""The report's page, looked at in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from trainer.comparison import Comparison, Difference, IntentChange, LostAnswer
from trainer.gates import Gate
from trainer.report import Report
from trainer.report.content import ConfusedPair, ConfusedText
from trainer.report.page import render_page
from trainer.resampling import Interval

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

ATTACKS = (
    "<script>document.title = 'taken over'</script>",
    "<img src=x onerror=\"document.title = 'taken over'\">",
    '"><svg onload="document.title = \'taken over\'">',
    "</style></script></title><h1>injected</h1>",
)


def attacked(report: Report) -> Report:
    """The report with attacks wherever a user's words come in."""
    intents = [
        msgspec.structs.replace(row, intent=ATTACKS[number % len(ATTACKS)] + str(number))
        for number, row in enumerate(report.intents)
    ]
    examples = tuple(ConfusedText(text=text, confidence=0.5) for text in ATTACKS)
    pair = ConfusedPair(intent=ATTACKS[0], answer=ATTACKS[1], count=4, examples=examples)
    noise = [msgspec.structs.replace(row, example=(ATTACKS[0], ATTACKS[1])) for row in report.noise]
    shares = Difference(
        utterances=36,
        challenger=0.9,
        champion=0.8,
        gained=4,
        lost=0,
        difference=0.1,
        interval=Interval(low=0.0, high=0.2),
        p_value=0.125,
        verdict="no difference shown",
    )
    champion = Comparison(
        kind="bundle",
        name=ATTACKS[2],
        digest="0" * 64,
        same_dataset=False,
        shared_intents=6,
        only_challenger=(ATTACKS[1],),
        only_champion=(ATTACKS[3],),
        too_long=7,
        in_scope=shares,
        overall=shares,
        intents=(IntentChange(ATTACKS[0], 5, 4, 3, 1, 0),),
        lost=(LostAnswer(text=ATTACKS[0], intent=ATTACKS[1], answer=None),),
        regression=False,
    )
    return msgspec.structs.replace(
        report,
        intents=tuple(intents),
        confusions=(pair,),
        acceptances=(msgspec.structs.replace(pair, intent=None),),
        rejections=(msgspec.structs.replace(pair, answer=None),),
        noise=tuple(noise),
        comparison=champion,
        gates=(Gate("minimum_macro_f1", 0.99, 0.9, False, 0.09, None),),
        provenance=msgspec.structs.replace(
            report.provenance, base_model={"name": ATTACKS[3], "licence": ATTACKS[0]}
        ),
    )


def open_page(browser: Chrome, folder: Path, report: Report) -> None:
    page = folder / "report.html"
    page.write_text(render_page(report), encoding="utf-8")
    browser.get(page.as_uri())


def requests_of(browser: Chrome) -> set[str]:
    """What the page asked for, but for what it holds itself."""
    entries = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    asked = (entry["params"] for entry in entries if entry["method"] == "Network.requestWillBeSent")
    urls = (one["request"]["url"] for one in asked if one["documentURL"].startswith("file:"))
    return {url for url in urls if not url.startswith("data:")}


def column(browser: Chrome, number: int) -> list[str]:
    cells: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('#per-intent tbody tr')]"
        ".map((row) => row.cells[arguments[0]].textContent)",
        number,
    )
    return cells


def colours(browser: Chrome) -> dict[str, tuple[float, ...]]:
    found: dict[str, str] = browser.execute_script(
        "const style = (one) => getComputedStyle(document.querySelector(one));"
        "return {page: style('body').backgroundColor, card: style('section').backgroundColor,"
        " ink: style('section h2').color, soft: style('figcaption').color,"
        " link: style('nav a').color, curve: style('.curve-0').stroke,"
        " axis: style('.chart .axis').fill}"
    )
    return {
        name: tuple(float(part) for part in value[value.index("(") + 1 : -1].split(",")[:3])
        for name, value in found.items()
    }


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The ratio of WCAG 2, 1 to 21."""

    def luminance(colour: tuple[float, ...]) -> float:
        shares = [part / 255 for part in colour]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def command(browser: Chrome, name: str, **parameters: Any) -> None:
    browser.execute_cdp_cmd(name, parameters)


def test_the_page_stands_alone_and_its_charts_are_drawn(
    browser: Chrome, tiny_report: Report, tmp_path: Path
) -> None:
    open_page(browser, tmp_path, tiny_report)
    assert browser.title == f"Evaluation report: {tiny_report.provenance.base_model['name']}"
    assert requests_of(browser) == {(tmp_path / "report.html").as_uri()}
    assert browser.get_log("browser") == []
    charts: list[dict[str, Any]] = browser.execute_script(
        "return [...document.querySelectorAll('svg.chart')].map((svg) => ({"
        " width: svg.getBoundingClientRect().width, height: svg.getBoundingClientRect().height,"
        " title: document.getElementById(svg.getAttribute('aria-labelledby')).textContent,"
        " shapes: [...svg.querySelectorAll('.curve, .bar, .dot')]"
        "  .filter((one) => one.getBoundingClientRect().height > 0).length}))"
    )
    assert len(charts) == 6
    assert len({chart["title"] for chart in charts}) == 6
    for chart in charts:
        assert chart["width"] > 300
        assert chart["height"] > 150
        assert chart["shapes"] > 0


def test_a_click_on_a_columns_head_sorts_the_table_and_a_second_one_turns_it(
    browser: Chrome, tiny_report: Report, tmp_path: Path
) -> None:
    # A number among digits of other lengths, and an intent without any utterance.
    rows = list(tiny_report.intents)
    rows[0] = msgspec.structs.replace(rows[0], support=100)
    rows[1] = msgspec.structs.replace(rows[1], precision=None, f1=None)
    open_page(browser, tmp_path, msgspec.structs.replace(tiny_report, intents=tuple(rows)))
    names = [row.intent for row in rows]
    assert column(browser, 0) == names
    heads = browser.find_elements("css selector", "#per-intent th button")
    assert [head.text for head in heads] == [
        "intent", "precision", "recall", "F1", "support", "rejected",
    ]  # fmt: skip
    heads[0].click()
    assert column(browser, 0) == sorted(names)
    heads[0].click()
    assert column(browser, 0) == sorted(names, reverse=True)
    heads[4].click()
    assert column(browser, 4) == ["5", "5", "5", "5", "5", "100"]
    states = [
        head.get_attribute("aria-sort")
        for head in browser.find_elements("css selector", "#per-intent th")
    ]
    assert states == [None, None, None, None, "ascending", None]
    for _ in range(2):
        heads[3].click()
        assert column(browser, 3)[-1] == "\N{EN DASH}"


def test_a_users_words_are_shown_and_never_run(
    browser: Chrome, tiny_report: Report, tmp_path: Path
) -> None:
    open_page(browser, tmp_path, attacked(tiny_report))
    assert browser.title == f"Evaluation report: {ATTACKS[3]}"
    assert requests_of(browser) == {(tmp_path / "report.html").as_uri()}
    counts: list[int] = browser.execute_script(
        "return ['script', 'img', 'h1', 'style', 'svg:not(.chart)']"
        ".map((one) => document.querySelectorAll(one).length)"
    )
    assert counts == [1, 0, 1, 1, 0]
    seen = browser.execute_script("return document.body.textContent")
    assert all(attack in seen for attack in ATTACKS)
    assert browser.get_log("browser") == []


def test_a_script_that_got_into_the_page_all_the_same_would_not_run(
    browser: Chrome, tiny_report: Report, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    page.write_text(render_page(tiny_report).replace("<main>", "<main>" + "".join(ATTACKS[:2])))
    browser.get(page.as_uri())
    assert browser.title.startswith("Evaluation report")
    refused = browser.get_log("browser")
    assert len(refused) >= 2
    assert all("Content Security Policy" in entry["message"] for entry in refused)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_can_be_read_in_light_and_in_dark(
    browser: Chrome, tiny_report: Report, tmp_path: Path, scheme: str
) -> None:
    command(
        browser,
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    open_page(browser, tmp_path, tiny_report)
    found = colours(browser)
    assert (sum(found["page"]) < 3 * 128) == (scheme == "dark")
    for name in ("ink", "soft", "axis"):
        assert contrast(found[name], found["card"]) >= 4.5
    assert contrast(found["link"], found["page"]) >= 4.5
    assert contrast(found["curve"], found["card"]) >= 3


def test_the_page_fits_a_telephone(browser: Chrome, tiny_report: Report, tmp_path: Path) -> None:
    command(
        browser,
        "Emulation.setDeviceMetricsOverride",
        width=360,
        height=740,
        deviceScaleFactor=2,
        mobile=True,
    )
    open_page(browser, tmp_path, attacked(tiny_report))
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= 360


def test_print_is_dark_on_white_and_shows_whole_tables(
    browser: Chrome, tiny_report: Report, tmp_path: Path
) -> None:
    command(
        browser,
        "Emulation.setEmulatedMedia",
        media="print",
        features=[{"name": "prefers-color-scheme", "value": "dark"}],
    )
    open_page(browser, tmp_path, tiny_report)
    found = colours(browser)
    assert found["page"] == (255, 255, 255)
    assert contrast(found["ink"], found["page"]) > 15
    cut = browser.execute_script(
        "return [...document.querySelectorAll('.tall')]"
        ".filter((one) => one.scrollHeight > one.clientHeight + 1).length"
    )
    assert cut == 0
