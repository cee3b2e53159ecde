"""Make a base model of a few hundred kilobytes: a random BERT in the transformers layout.

    python tests/models/make_tiny_base_model.py FOLDER

It knows nothing, but it is a real encoder with a real WordPiece tokenizer: two layers of
64 numbers (two blocks of 32, which GGUF's q8_0 needs). A random encoder still keeps
different words apart, so training on ``UTTERANCES`` gives a classifier that works.
"""

from __future__ import annotations

import itertools
import string
import sys
from pathlib import Path

import tokenizers
import torch
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Intent -> the words at the start, in the middle and at the end of its texts.
PHRASES = {
    "door_lock": (
        ("lock", "bolt", "unlock"),
        ("front door", "back door", "gate", "garage", "porch"),
        ("now", "securely"),
    ),
    "heating_set": (
        ("heat", "warm", "cool"),
        ("bedroom", "bathroom", "office", "hall", "nursery"),
        ("by two degrees", "to twenty"),
    ),
    "lights_on": (
        ("switch on", "brighten", "illuminate"),
        ("lamp", "ceiling light", "spotlight", "chandelier", "lantern"),
        ("please", "over here"),
    ),
    "music_play": (
        ("play", "stream", "shuffle"),
        ("jazz", "some rock", "a song", "classical music", "my album"),
        ("loudly", "on repeat"),
    ),
    "timer_start": (
        ("start", "begin", "run"),
        ("timer", "countdown", "stopwatch", "egg timer", "pasta alarm"),
        ("for five minutes", "for an hour"),
    ),
    "weather_get": (
        ("will it rain", "is snow expected", "what is the forecast"),
        ("tomorrow", "on sunday", "this weekend", "in paris", "at the seaside"),
        ("or sunshine", "and wind"),
    ),
}
OUT_OF_SCOPE = (
    "who wrote that novel",
    "book a flight",
    "tell me a joke",
    "translate dog into french",
    "how tall are giraffes",
    "order pizza",
    "spell receive",
    "what does love mean",
    "send money to anna",
    "find my parcel",
    "read my email",
    "who won yesterday",
)
_SPLITS = ("train", "train", "train", "train", "validation", "test")


def utterances() -> list[tuple[str, str, str]]:
    """Rows of text, intent and split: 30 texts an intent, and 12 out of scope ("oos")."""
    rows = []
    for intent, parts in PHRASES.items():
        for number, words in enumerate(itertools.product(*parts)):
            rows.append((" ".join(words), intent, _SPLITS[number % len(_SPLITS)]))
    for number, text in enumerate(OUT_OF_SCOPE):
        rows.append((text, "oos", ("validation", "test")[number % 2]))
    return rows


def make_tiny_utterances(path: Path) -> Path:
    """Write ``utterances()`` as CSV to ``path`` and return ``path``."""
    lines = ["text,intent,split", *(",".join(row) for row in utterances())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_tiny_base_model(folder: Path, *, seed: int = 1, width: int = 64) -> Path:
    """Make the model at ``folder`` and return it; equal seeds and widths give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    text = tokenizer.to_str(pretty=True)
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    configuration = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=128,
        # Larger than usual, so that attention does something without any training.
        initializer_range=0.1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(configuration).save_pretrained(folder, safe_serialization=True)
    return folder


def _vocabulary() -> dict[str, int]:
    characters = string.ascii_lowercase + string.digits
    words = sorted({word for text, _, _ in utterances() for word in text.split()})
    # A word that is only spoken in texts out of scope is left to its letters.
    known = {word for text, intent, _ in utterances() if intent != "oos" for word in text.split()}
    whole = [word for word in words if word in known and len(word) > 1]
    tokens = (
        *SPECIAL,
        *string.punctuation,
        *characters,
        *(f"##{character}" for character in characters),
        "##s",
        "##ly",
        "##ing",
        *whole,
    )
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


def make_tokenizer() -> tokenizers.Tokenizer:
    """A WordPiece tokenizer of the words in ``PHRASES``, and of letters for all others."""
    vocabulary = _vocabulary()
    tokenizer = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return tokenizer


if __name__ == "__main__":
    print(make_tiny_base_model(Path(sys.argv[1])))
