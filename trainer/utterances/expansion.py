"""The texts of a sentence template, each reachable by its number.

A template is compiled into a small tree whose nodes know how many texts they give, so
that one text of millions is made without making the others. The syntax is hassil's:
``(a|b)``, ``[optional]``, ``{list}``, ``<rule>`` and ``(a;b)`` for any order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from hassil.errors import HassilError
from hassil.expression import (
    Alternative,
    ListReference,
    Permutation,
    RuleReference,
    Sequence,
    TextChunk,
)
from hassil.intents import TextSlotList, WildcardSlotList
from hassil.parse_expression import parse_sentence
from hassil.parser import ParseError
from hassil.sample import sample_expression

from trainer.errors import SourceFormatError

__all__ = ["Expansion", "Vocabulary", "compile_template"]

_MOST_SHOWN = 80


class Vocabulary(msgspec.Struct, frozen=True):
    """What a template may refer to."""

    lists: Mapping[str, Any]
    """Name -> hassil's slot list."""
    rules: Mapping[str, Any]
    """Name -> hassil's parsed sentence."""
    language: str | None
    """Language of numbers that are written as words."""


class _Text(msgspec.Struct, frozen=True):
    value: str
    count: int = 1

    def text(self, _number: int) -> str:
        return self.value


class _OneOf(msgspec.Struct, frozen=True):
    items: tuple[Expansion, ...]
    count: int

    def text(self, number: int) -> str:
        for item in self.items:
            if number < item.count:
                return item.text(number)
            number -= item.count
        raise IndexError(number)


class _Chain(msgspec.Struct, frozen=True):
    items: tuple[Expansion, ...]
    count: int

    def text(self, number: int) -> str:
        parts = []
        for item in self.items:
            number, inner = divmod(number, item.count)
            parts.append(item.text(inner))
        return "".join(parts)


class _AnyOrder(msgspec.Struct, frozen=True):
    items: tuple[Expansion, ...]
    count: int

    def text(self, number: int) -> str:
        waiting = list(self.items)
        parts = []
        while waiting:
            number, place = divmod(number, len(waiting))
            item = waiting.pop(place)
            number, inner = divmod(number, item.count)
            parts.append(item.text(inner))
        return "".join(parts)


Expansion = _Text | _OneOf | _Chain | _AnyOrder
"""``count`` texts; ``text(number)`` gives one, ``0 <= number < count``."""


def compile_template(template: str, vocabulary: Vocabulary, *, place: str) -> Expansion:
    """Compile one template.

    Args:
        template: a sentence in hassil's syntax.
        vocabulary: the lists and rules that it may refer to.
        place: where the template stands, for messages.

    Raises:
        SourceFormatError: wrong syntax, an unknown list or rule, or a list without values.
    """
    try:
        expression = parse_sentence(template).expression
        return _Compiler(vocabulary, place=place).compile(expression, within=())
    except (ParseError, ValueError, AssertionError, RecursionError) as error:
        # hassil asserts that no piece is empty, and reads brackets within brackets by recursion.
        shown = template if len(template) <= _MOST_SHOWN else f"{template[:_MOST_SHOWN]}..."
        raise SourceFormatError(
            f"{place}: wrong template syntax in {shown!r}; check its brackets, and that none is "
            "empty"
        ) from error


class _Compiler:
    def __init__(self, vocabulary: Vocabulary, *, place: str) -> None:
        self._vocabulary = vocabulary
        self._place = place

    def compile(self, expression: Any, *, within: tuple[str, ...]) -> Expansion:
        """Compile an expression that stands within the rules and lists named."""
        if isinstance(expression, TextChunk):
            return _Text(value=expression.original_text)
        if isinstance(expression, ListReference):
            return self._list(expression, within=within)
        if isinstance(expression, RuleReference):
            return self._rule(expression.rule_name, within=within)
        items = tuple(self.compile(item, within=within) for item in expression.items)
        counts = [item.count for item in items]
        if isinstance(expression, Alternative):
            return _OneOf(items=items, count=sum(counts))
        if isinstance(expression, Permutation):
            return _AnyOrder(items=items, count=math.factorial(len(items)) * math.prod(counts))
        if isinstance(expression, Sequence):
            return _Chain(items=items, count=math.prod(counts))
        raise self._refusal(f"unknown syntax {type(expression).__name__}")

    def _rule(self, name: str, *, within: tuple[str, ...]) -> Expansion:
        rule = self._vocabulary.rules.get(name)
        if rule is None:
            raise self._refusal(f"there is no rule <{name}>; add it to expansion_rules")
        return self.compile(rule.expression, within=self._entering(f"rule <{name}>", within))

    def _list(self, reference: ListReference, *, within: tuple[str, ...]) -> Expansion:
        name = reference.list_name
        values = self._vocabulary.lists.get(name)
        if values is None:
            raise self._refusal(f"there is no list {{{name}}}; add it to lists")
        if isinstance(values, WildcardSlotList):
            raise self._refusal(f"the list {{{name}}} is a wildcard; give it values to draw from")
        items: tuple[Expansion, ...]
        if isinstance(values, TextSlotList):
            inner = self._entering(f"list {{{name}}}", within)
            items = tuple(self.compile(value.text_in, within=inner) for value in values.values)
        else:
            items = tuple(_Text(value=text) for text in self._numbers(reference))
        if not items:
            raise self._refusal(f"the list {{{name}}} has no values; add some")
        return _OneOf(items=items, count=sum(item.count for item in items))

    def _entering(self, what: str, within: tuple[str, ...]) -> tuple[str, ...]:
        if what in within:
            raise self._refusal(f"the {what} refers to itself; its texts have no end")
        return (*within, what)

    def _numbers(self, reference: ListReference) -> list[str]:
        try:
            texts = sample_expression(
                reference, dict(self._vocabulary.lists), language=self._vocabulary.language
            )
            # Sorted, because hassil gives the words of a number in the order of a set.
            return sorted(set(texts))
        except (HassilError, ValueError) as error:
            raise self._refusal(f"cannot write the numbers of {{{reference.list_name}}}") from error

    def _refusal(self, reason: str) -> SourceFormatError:
        return SourceFormatError(f"{self._place}: {reason}")
