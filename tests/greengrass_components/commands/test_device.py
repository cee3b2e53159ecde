"""The tasks of the namespace device, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from greengrass_components.commands.device import count_texts

TASKS = """\
from invoke.collection import Collection
from greengrass_components.commands.device import namespace as device
namespace = Collection(device)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tasks.py").write_text(TASKS)
    return tmp_path


def run(project: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result


@pytest.mark.parametrize("texts", [["lights on"], ["lights on", "play a song", "open the door"]])
def test_one_or_more_texts_give_one_json_object_a_line(
    texts: list[str], project: Path, tiny_bundle: Path
) -> None:
    output = run(project, "device.classify", "--bundle", str(tiny_bundle), "--json", *texts).stdout

    answers = [json.loads(line) for line in output.splitlines()]
    assert [answer["text"] for answer in answers] == texts
    expected = {"lights on": "lights_on", "play a song": "play_music", "open the door": None}
    assert [answer["intent"] for answer in answers] == [expected[text] for text in texts]


@pytest.mark.parametrize(
    "order",
    [
        ["--bundle={bundle}", "--json", "lights on", "play a song"],
        ["lights on", "--json", "-b", "{bundle}", "play a song"],
        ["lights on", "play a song", "-j", "--variant", "fp32", "-b{bundle}"],
    ],
)
def test_flags_may_stand_anywhere(order: list[str], project: Path, tiny_bundle: Path) -> None:
    words = [word.format(bundle=tiny_bundle) for word in order]

    answers = run(project, "device.classify", *words).stdout.splitlines()
    assert [json.loads(line)["text"] for line in answers] == ["lights on", "play a song"]


def test_a_text_may_be_the_name_of_a_task(project: Path, tiny_bundle: Path) -> None:
    words = ["--bundle", str(tiny_bundle), "--json", "lights on", "device.verify"]

    answers = run(project, "device.classify", *words).stdout.splitlines()
    assert [json.loads(line)["text"] for line in answers] == ["lights on", "device.verify"]


def test_no_text_is_wrong_usage(project: Path, tiny_bundle: Path) -> None:
    result = run(project, "device.classify", "--bundle", str(tiny_bundle), code=1)

    assert "did not receive required positional arguments: 'texts'" in result.stderr


def test_no_bundle_is_wrong_usage(project: Path) -> None:
    assert "--bundle DIR" in run(project, "device.classify", "lights on", code=2).stderr


def test_a_missing_bundle_is_one_line(project: Path) -> None:
    result = run(project, "device.classify", "--bundle", "nowhere", "lights on", code=1)

    assert result.stderr.startswith("error: no bundle at nowhere: manifest.json cannot be read")
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_verify_names_every_variant(project: Path, tiny_bundle: Path) -> None:
    found = json.loads(run(project, "device.verify", "--bundle", str(tiny_bundle), "--json").stdout)

    assert {variant["name"] for variant in found["variants"]} == {"int8", "fp32"}


def test_bench_measures_the_variant_that_is_named(project: Path, tiny_bundle: Path) -> None:
    words = ["--bundle", str(tiny_bundle), "--variant", "fp32", "--repeats", "2", "--json"]
    found = json.loads(run(project, "device.bench", *words).stdout)

    assert found["variant"] == "fp32"
    assert found["latency"]["repeats"] == 2


def test_the_help_page_explains_every_flag(project: Path) -> None:
    page = run(project, "--help", "device.classify").stdout

    for words in ("--texts", "one or more utterances", "--bundle=STRING", "--json", "--variant"):
        assert words in page


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], 0),
        (["--list"], 0),
        (["device.classify"], 0),
        (["classify", "a"], 1),
        (["other", "x", "device.classify", "--bundle", "dir", "a", "b c"], 2),
        (["device.classify", "--bundle=dir", "a", "--json", "b"], 2),
        (["device.classify", "-b", "dir"], 0),
        (["device.classify", "a", "--", "b"], 1),
    ],
)
def test_texts_are_the_plain_words_after_the_task(words: list[str], expected: int) -> None:
    assert count_texts(words, "classify", {"--bundle", "-b"}) == expected
