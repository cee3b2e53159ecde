"""Sentence templates: YAML in the form of the hassil library, sampled by a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
from hassil.intents import Intents
from hassil.parser import ParseError

from edge_runtime.text import normalize
from trainer.config import DataSettings
from trainer.errors import SourceFormatError
from trainer.utterances.expansion import Expansion, Vocabulary, compile_template
from trainer.utterances.source_file import SourceFile
from trainer.utterances.template_file import TemplateBlock, TemplateFile, read_template_file
from trainer.utterances.utterance import Utterance, intent_or_none

__all__ = ["read_templates"]

# Drawing more numbers than are wanted leaves room for texts that come out twice.
_DRAWS_PER_SAMPLE = 4
# Beyond this the numbers of a template's texts no longer fit Python's range sampling.
_MOST_TEXTS = 2**62


class _Template(msgspec.Struct, frozen=True):
    sentence: str
    expansion: Expansion
    source: str
    line: int


def read_templates(files: list[SourceFile], *, settings: DataSettings) -> list[Utterance]:
    """Draw texts from the templates of one or more files, which share lists and rules.

    For each intent ``settings.template_samples_per_intent`` distinct texts are drawn, or
    all when there are fewer. Every template gives one text before any gives a second. The
    same files and seed give the same texts on every platform. ``group`` is the template.

    Raises:
        SourceFormatError: encoding, YAML, the document's form or a template is wrong.
    """
    documents = [read_template_file(file) for file in sorted(files, key=lambda file: file.name)]
    by_intent: dict[str, list[_Template]] = {}
    shared = _shared_block(documents)
    language = next((document.language for document in documents if document.language), None)
    for document in documents:
        for intent, blocks in document.intents.items():
            for block in blocks:
                vocabulary = _vocabulary(shared, block, language=language, source=document.name)
                by_intent.setdefault(intent, []).extend(
                    _compile_block(block, vocabulary, source=document.name)
                )
    if not any(by_intent.values()):
        names = ", ".join(document.name for document in documents)
        raise SourceFormatError(f"{names}: there are no sentences; add them below intents")
    return [
        utterance
        for intent, templates in by_intent.items()
        for utterance in _draw(intent, templates, settings=settings)
    ]


def _shared_block(documents: list[TemplateFile]) -> TemplateBlock:
    lists: dict[str, Any] = {}
    rules: dict[str, str] = {}
    for document in documents:
        for kind, ours, theirs in (
            ("list", lists, document.lists),
            ("rule", rules, document.expansion_rules),
        ):
            twice = sorted(ours.keys() & theirs.keys())
            if twice:
                raise SourceFormatError(
                    f"{document.name}: the {kind} {twice[0]!r} stands in another file too; keep one"
                )
            ours.update(theirs)
    return TemplateBlock(sentences=[], lists=lists, expansion_rules=rules)


def _vocabulary(
    shared: TemplateBlock, block: TemplateBlock, *, language: str | None, source: str
) -> Vocabulary:
    try:
        parsed = Intents.from_dict(
            {
                "language": language,
                "intents": {},
                "lists": {**shared.lists, **block.lists},
                "expansion_rules": {**shared.expansion_rules, **block.expansion_rules},
            }
        )
    except (
        ParseError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        AssertionError,
    ) as error:
        # hassil has no error of its own for a list or a rule of a wrong form.
        raise SourceFormatError(
            f"{source}: a list or a rule is malformed ({type(error).__name__}: {error}); "
            "a list has values (strings, in quotes) or a range, a rule is one sentence",
            source=source,
        ) from error
    return Vocabulary(lists=parsed.slot_lists, rules=parsed.expansion_rules, language=language)


def _compile_block(
    block: TemplateBlock, vocabulary: Vocabulary, *, source: str
) -> Iterator[_Template]:
    for sentence, line in block.located_sentences():
        place = f"{source}, line {line}"
        expansion = compile_template(sentence, vocabulary, place=place)
        yield _Template(sentence=sentence, expansion=expansion, source=source, line=line)


def _draw(intent: str, templates: list[_Template], *, settings: DataSettings) -> list[Utterance]:
    wanted = settings.template_samples_per_intent
    # A string seeds through SHA-512: the same on every platform. An intent has its own
    # seed, so that a change to one leaves the texts of the others as they were.
    generator = random.Random(f"{settings.seed}/{intent}")  # noqa: S311 - not for secrets
    templates = list(templates)
    generator.shuffle(templates)
    streams = [
        (template, _texts(template.expansion, wanted, generator=generator))
        for template in templates
    ]
    label = intent_or_none(intent, settings.out_of_scope_labels)
    seen: set[str] = set()
    drawn: list[Utterance] = []
    while streams and len(drawn) < wanted:
        going = []
        for template, texts in streams:
            text = next((text for text in texts if text.casefold() not in seen), None)
            if text is None:
                continue
            going.append((template, texts))
            if len(drawn) < wanted:
                seen.add(text.casefold())
                drawn.append(
                    Utterance(
                        text=text,
                        intent=label,
                        split=None,
                        group=template.sentence,
                        line=template.line,
                        source=template.source,
                    )
                )
        streams = going
    return drawn


def _texts(expansion: Expansion, wanted: int, *, generator: random.Random) -> Iterator[str]:
    """Give texts of a template in random order."""
    numbers = range(min(expansion.count, _MOST_TEXTS))
    for number in generator.sample(numbers, min(len(numbers), _DRAWS_PER_SAMPLE * wanted)):
        text = normalize(expansion.text(number))
        if text:
            yield text
