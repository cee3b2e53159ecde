"""Which language texts are in, and which of them are in another than most."""

from __future__ import annotations

from collections import Counter

import msgspec
import polars as pl

__all__ = ["LanguageCheck", "check_language"]

_SHOWN = 5
# With fewer texts in it there is no language that most are in.
_MAIN_SHARE = 0.5
_NO_LANGUAGE = "zxx"


class LanguageCheck(msgspec.Struct, frozen=True):
    """What was found of the languages of some texts."""

    main: str | None
    """ISO 639 code of the language that most texts are in; ``None`` when there is none."""
    shares: dict[str, float]
    """Share of the texts whose most probable language it is; the five most frequent."""
    checked: int
    """Texts that were looked at."""
    found: pl.DataFrame
    """``row`` and ``detail`` of texts in another language, the least probable first."""


def check_language(
    rows: pl.DataFrame, *, sample: int, probability: float, seed: int
) -> LanguageCheck:
    """Guess the language of texts, by py3langid (Lui and Baldwin 2012).

    The guess for one short text is often wrong, so a text is only reported when the language
    that most texts are in is very improbable for it.

    Args:
        rows: usable rows without duplicates.
        sample: texts to look at, at most, drawn by the seed.
        probability: of the main language, below which a text is in another one.
        seed: of the sample.
    """
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    texts = rows.select("row", "text").unique(subset="text", keep="first", maintain_order=True)
    if len(texts) > sample:
        texts = texts.sample(sample, seed=seed)
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    ranked = [(row, identifier.rank(text)) for row, text in texts.iter_rows()]
    first = Counter(str(ranks[0][0]) for _, ranks in ranked)
    first.pop(_NO_LANGUAGE, None)
    total = sum(first.values())
    shares = {name: round(count / total, 4) for name, count in first.most_common(_SHOWN)}
    main = next((name for name, share in shares.items() if share >= _MAIN_SHARE), None)
    found = []
    for row, ranks in ranked:
        best = str(ranks[0][0])
        value = float(dict(ranks).get(main, 1.0))
        if main is not None and value < probability and best not in (main, _NO_LANGUAGE):
            found.append((row, f"rather {best} than {main}", value))
    frame = pl.DataFrame(
        found, schema={"row": pl.UInt32, "detail": pl.String, "value": pl.Float64}, orient="row"
    )
    return LanguageCheck(
        main=main,
        shares=shares,
        checked=len(texts),
        found=frame.sort("value", "row").select("row", "detail"),
    )
