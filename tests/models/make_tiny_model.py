"""Make a bundle of a few kilobytes whose model is real: a WordPiece tokenizer, ONNX graphs.

    python tests/models/make_tiny_model.py FOLDER

The model is a table from words to intents, so its answers can be read off the table below:
a text's embedding is the mean of its tokens' rows ([CLS] and [SEP] count as zeros) times
``SCALE``, and its logits are the same four numbers. A word that is not in the table says
nothing, so a text without any known word is out of scope.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
import tokenizers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from edge_runtime.bundle import GoldenSample
from edge_runtime.head import Head, encode_head
from edge_runtime.manifest import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    Golden,
    Manifest,
    Quality,
    Variant,
    encode_manifest,
)
from edge_runtime.scoring import Calibration, ScorePart, probabilities
from edge_runtime.session_onnx import OnnxSession
from edge_runtime.storage import file_entries, replace_folder, write_atomically
from edge_runtime.text import TextSettings
from edge_runtime.tokenization import Tokenizer

LABELS = ("lights_off", "lights_on", "play_music", "weather")
WORDS = {
    "off": (3, 0, 0, 0),
    "dark": (2, 0, 0, 0),
    "on": (0, 3, 0, 0),
    "bright": (0, 2, 0, 0),
    "light": (1, 1, 0, 0),
    "lamp": (1, 1, 0, 0),
    "##s": (0, 0, 0, 0),
    "music": (0, 0, 3, 0),
    "song": (0, 0, 3, 0),
    "play": (0, 0, 2, 0),
    "weather": (0, 0, 0, 3),
    "rain": (0, 0, 0, 3),
    "tomorrow": (0, 0, 0, 1),
}
GOLDEN = (
    "switch the lights off",
    "lights on",
    "play a song",
    "will it rain tomorrow",
)
SCALE = 8
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
TEXT = TextSettings(normalization="nfc-single-spaces", max_characters=200, max_tokens=16)
CALIBRATION = Calibration(temperature=1.0, score=(ScorePart(name="max-logit"),), threshold=2.0)
HEAD = Head(
    weight=np.eye(len(LABELS), dtype=np.float32),
    bias=np.zeros(len(LABELS), dtype=np.float32),
    normalized=False,
)
TOLERANCE = 0.01


def make_tiny_bundle(
    folder: Path,
    *,
    name: str = "tiny",
    version: str = "1.0.0",
    change: Callable[[Manifest], Manifest] = lambda manifest: manifest,
    golden: Sequence[str] = GOLDEN,
    golden_offset: float = 0.0,
    head: Head = HEAD,
) -> Path:
    """Make the bundle at ``folder`` and return ``folder``.

    Args:
        folder: where to make it; what is there is replaced.
        name: the bundle's name.
        version: the bundle's version.
        change: gives the manifest to write in place of the right one.
        golden: texts of the golden samples.
        golden_offset: added to every expected confidence: with more than the tolerance the
            bundle is intact and fails its self-test.
        head: one with the same layer, and what was learnt of texts besides.
    """
    with replace_folder(folder) as partial:
        _write_tokenizer(partial / "tokenizer.json")
        write_atomically(partial / "head.npz", encode_head(head))
        _write_graph(partial / "model.int8.onnx", int8=True)
        _write_graph(partial / "model.fp32.onnx", int8=False)
        _write_golden(partial, golden, golden_offset)
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            digest="",
            name=name,
            version=version,
            labels=LABELS,
            text=TEXT,
            tokenizer="tokenizer.json",
            head="head.npz",
            variants=(_variant(partial, "int8"), _variant(partial, "fp32")),
            golden=Golden(file="golden.jsonl", tolerance=TOLERANCE),
            files=file_entries(partial),
            provenance={"made_by": "tests/models/make_tiny_model.py"},
        )
        write_atomically(partial / MANIFEST_NAME, encode_manifest(change(manifest)))
    return folder


def _write_tokenizer(path: Path) -> None:
    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *WORDS))}
    tokenizer = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    path.write_text(tokenizer.to_str(), encoding="utf-8")


def _write_graph(path: Path, *, int8: bool) -> None:
    rows = [(0, 0, 0, 0)] * len(SPECIAL) + list(WORDS.values())
    table: NDArray[np.int8] = np.array(rows, dtype=np.int8)
    scale = np.float32(SCALE)
    nodes = []
    if int8:
        # As in a quantised model: whole numbers in the file, a scale beside them.
        table = table * np.int8(20)
        scale = scale / np.float32(20)
        nodes.append(helper.make_node("Gather", ["table", "input_ids"], ["small"]))
        nodes.append(helper.make_node("Cast", ["small"], ["embedded"], to=TensorProto.FLOAT))
    else:
        nodes.append(helper.make_node("Gather", ["table", "input_ids"], ["embedded"]))
    nodes += [
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["embedded", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "tokens"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["column", "tokens"], ["count"], keepdims=0),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("Mul", ["mean", "scale"], ["embedding"]),
    ]
    constants = {
        "table": table if int8 else table.astype(np.float32),
        "scale": scale,
        "last": np.array([2], dtype=np.int64),
        "tokens": np.array([1], dtype=np.int64),
    }
    shape: list[str | int | None] = [1, "tokens"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs=[
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, shape),
        ],
        outputs=[helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, len(LABELS)])],
        initializer=[numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _write_golden(folder: Path, texts: Sequence[str], offset: float) -> None:
    tokenizer = Tokenizer(folder / "tokenizer.json", max_tokens=TEXT.max_tokens)
    sessions = {
        name: OnnxSession(folder / f"model.{name}.onnx", threads=1) for name in ("int8", "fp32")
    }
    lines = []
    for text in texts:
        found = {
            name: probabilities(HEAD.logits(session.embedding(tokenizer.encode(text))), CALIBRATION)
            for name, session in sessions.items()
        }
        sample = GoldenSample(
            text=text,
            intent=LABELS[int(np.argmax(found["fp32"]))],
            confidence={name: round(float(p.max()) + offset, 4) for name, p in found.items()},
        )
        lines.append(msgspec.json.encode(sample) + b"\n")
    for session in sessions.values():
        session.close()
    (folder / "golden.jsonl").write_bytes(b"".join(lines))


def _variant(folder: Path, precision: str) -> Variant:
    file = f"model.{precision}.onnx"
    return Variant(
        name=precision,
        file=file,
        format="onnx",
        precision=precision,
        requires=(),
        bytes=(folder / file).stat().st_size,
        calibration=CALIBRATION,
        quality=Quality(accuracy=1.0, changed_answers=0.0, max_logit_difference=0.0),
    )


if __name__ == "__main__":
    print(make_tiny_bundle(Path(sys.argv[1])))
