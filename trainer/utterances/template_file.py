"""One YAML file of sentence templates, with the line of each sentence."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any

import msgspec
import yaml

from trainer.errors import SourceFormatError
from trainer.utterances.source_file import SourceFile, decode

__all__ = ["TemplateBlock", "TemplateFile", "read_template_file"]


_BOOLEAN = "tag:yaml.org,2002:bool"


class TemplateBlock(msgspec.Struct, frozen=True):
    """Sentences of an intent, and what only they may refer to."""

    sentences: list[str]
    lists: dict[str, Any] = {}
    expansion_rules: dict[str, str] = {}

    def located_sentences(self) -> Iterator[tuple[str, int]]:
        """Give each sentence with its line in the file."""
        for sentence in self.sentences:
            yield str(sentence), getattr(sentence, "line", 1)


class TemplateFile(msgspec.Struct, frozen=True):
    """What one file holds; keys that only a recogniser needs are left out."""

    name: str
    language: str | None
    intents: dict[str, list[TemplateBlock]]
    lists: dict[str, Any]
    expansion_rules: dict[str, str]


class _Intent(msgspec.Struct):
    data: list[TemplateBlock]


class _Document(msgspec.Struct):
    language: str | None = None
    intents: dict[str, _Intent] = {}
    lists: dict[str, Any] = {}
    expansion_rules: dict[str, str] = {}


class _LocatedText(str):
    """A string that knows its line; equal to the plain string."""

    __slots__ = ("line",)
    line: int


class _Loader(yaml.CSafeLoader):
    """YAML with the lines of strings, which refuses a key that stands twice.

    As in YAML 1.2 only ``true`` and ``false`` are booleans: "on" and "off" are what people
    say to a lamp.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key!r} stands twice", problem_mark=node.start_mark
                )
        mapping = super().construct_mapping(node, deep=deep)
        # msgspec wants keys that are strings exactly.
        return {str(key) if isinstance(key, str) else key: mapping[key] for key in mapping}

    def construct_located(self, node: yaml.ScalarNode) -> str:
        text = _LocatedText(self.construct_scalar(node))
        text.line = node.start_mark.line + 1
        return text


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _BOOLEAN, re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_located)


def read_template_file(file: SourceFile) -> TemplateFile:
    """Read one file of templates.

    Raises:
        SourceFormatError: encoding, YAML or the document's form is wrong.
    """
    content = decode(file)
    try:
        value = yaml.load(content, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        # At the end of the file the mark stands on a line that is not there.
        last = content.rstrip().count("\n")
        where = file.name if mark is None else f"{file.name}, line {min(mark.line, last) + 1}"
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise SourceFormatError(
            f"{where}: malformed YAML ({problem}); mend it there", source=file.name
        ) from error
    try:
        document = msgspec.convert(value, _Document)
    except msgspec.ValidationError as error:
        raise SourceFormatError(
            f"{file.name} is not in the form of sentence templates ({error}); expected "
            "intents: {<intent>: {data: [{sentences: [...]}]}}",
            source=file.name,
        ) from error
    return TemplateFile(
        name=file.name,
        language=document.language,
        intents={name: intent.data for name, intent in document.intents.items()},
        lists=document.lists,
        expansion_rules=document.expansion_rules,
    )
