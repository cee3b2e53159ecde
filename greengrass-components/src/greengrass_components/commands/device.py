"""Tasks of the namespace ``device``: what a device does with a bundle, done here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task, task

from edge_runtime.console import print_json, reporting_errors
from greengrass_components.commands.numbers import whole_number

__all__ = ["TaskWithTexts", "count_texts", "namespace"]

_HELP = {
    "bundle": "the bundle's folder",
    "json": "print one JSON object a line",
    "variant": "name of the variant; by default the first that this machine can use",
}


class _Texts(Argument):
    """A positional argument of several tokens.

    Invoke fills a positional argument for as long as its value is ``None``, so the value
    stays ``None`` until the last of the expected tokens has come.
    """

    def __init__(self, name: str, *, expected: int, help: str | None) -> None:  # noqa: A002
        super().__init__(name=name, kind=list, positional=True, help=help)
        self.expected = max(1, expected)
        self._texts: list[str] = []

    @property
    def value(self) -> list[str] | None:
        return self._texts if len(self._texts) >= self.expected else None

    @value.setter
    def value(self, token: str) -> None:
        self._texts.append(token)


class TaskWithTexts(Task[Any]):
    """A task whose parameter ``texts`` takes every plain word after the task's name.

    Invoke itself knows positional arguments of one token only. What follows such a task on
    the command line is text, so no other task can come after it.
    """

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Give the task's arguments, with room for the texts of this command line."""
        arguments = super().get_arguments(ignore_unknown_help)
        with_value = {
            f"-{name}" if len(name) == 1 else f"--{name}"
            for argument in arguments
            if argument.takes_value and argument.name != "texts"
            for name in argument.names
        }
        expected = count_texts(sys.argv[1:], self.name, with_value)
        return [
            _Texts("texts", expected=expected, help=argument.help)
            if argument.name == "texts"
            else argument
            for argument in arguments
        ]


def count_texts(words: Sequence[str], task_name: str, flags_with_value: set[str]) -> int:
    """Count the plain words after a task's name: those that are no flag and no flag's value."""
    names = [word.rpartition(".")[2] for word in words]
    if task_name not in names:
        return 0
    count = 0
    is_value = False
    for word in words[names.index(task_name) + 1 :]:
        if word == "--":
            break
        if is_value:
            is_value = False
        elif word.startswith("-"):
            is_value = word in flags_with_value
        else:
            count += 1
    return count


@task(
    klass=TaskWithTexts,
    positional=["texts"],
    help={**_HELP, "texts": "one or more utterances, each in quotes"},
)
def classify(
    _: Context,
    texts: list[str],
    bundle: str | None = None,
    variant: str | None = None,
    *,
    json: bool = False,
) -> None:
    """Answer utterances with a bundle."""
    from edge_runtime import IntentClassifier

    path = _required(bundle)
    with reporting_errors(), IntentClassifier.open(path, variant=variant) as classifier:
        for text in texts:
            answer = classifier.classify(text)
            if json:
                print_json(answer)
                continue
            best = answer.candidates[0]
            said = f"out of scope (nearest: {best.intent})" if answer.out_of_scope else best.intent
            print(f"{answer.text!r}: {said} ({best.confidence:.1%})")


@task(positional=[], help={"bundle": _HELP["bundle"], "json": _HELP["json"]})
def verify(_: Context, bundle: str | None = None, *, json: bool = False) -> None:
    """Check every byte of a bundle and let each variant answer the golden samples."""
    from edge_runtime.verification import verify_bundle

    path = _required(bundle)
    with reporting_errors():
        found = verify_bundle(path)
    if json:
        print_json(found)
        return
    print(f"{found.name} {found.version}: {found.files} files are intact")
    for check in found.variants:
        left_out = f"left out, needs {check.left_out}"
        print(f"  {check.name}: {left_out if check.left_out else f'{check.samples} samples right'}")


@task(
    positional=[], help={**_HELP, "repeats": "timed rounds over the golden samples; 20 by default"}
)
def bench(
    _: Context,
    bundle: str | None = None,
    variant: str | None = None,
    repeats: str | None = None,
    *,
    json: bool = False,
) -> None:
    """Measure how long one answer takes on this machine."""
    from edge_runtime.benchmark import measure_bundle

    path = _required(bundle)
    with reporting_errors():
        found = measure_bundle(
            path, variant=variant, repeats=whole_number("repeats", repeats, default=20)
        )
    if json:
        print_json(found)
        return
    print(
        f"{found.name} {found.version}, {found.variant}: p50 {found.latency.p50_ms:.3f} ms, "
        f"p95 {found.latency.p95_ms:.3f} ms, peak memory {found.peak_memory_mib:.0f} MiB"
    )


def _required(bundle: str | None) -> Path:
    if bundle is None:
        raise Exit("give the bundle's folder: --bundle DIR", code=2)
    return Path(bundle)


namespace = Collection("device", classify, verify, bench)
