from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge_runtime.bundle import GoldenSample, open_bundle, read_golden
from edge_runtime.errors import BundleDamagedError, BundleNotFoundError
from edge_runtime.manifest import Manifest, decode_manifest, encode_manifest
from edge_runtime.storage import file_entry


def rewrite_golden(bundle: Path, content: bytes) -> None:
    """Put other golden samples into a bundle, with a manifest that accounts for them."""
    (bundle / "golden.jsonl").write_bytes(content)
    path = bundle / "manifest.json"
    manifest = decode_manifest(path.read_bytes())
    files = manifest.files | {"golden.jsonl": file_entry(bundle / "golden.jsonl")}
    path.write_bytes(encode_manifest(msgspec.structs.replace(manifest, files=files)))


def test_an_intact_bundle_is_opened(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    assert bundle.path == tiny_bundle
    assert isinstance(bundle.manifest, Manifest)
    assert bundle.manifest.name == "tiny"


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFoundError, match=r"manifest\.json cannot be read"):
        open_bundle(tmp_path)


def test_a_path_that_does_not_exist_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFoundError, match="nowhere"):
        open_bundle(tmp_path / "nowhere")


def test_a_missing_file_is_named(tiny_bundle: Path) -> None:
    (tiny_bundle / "model.fp32.onnx").unlink()
    with pytest.raises(BundleDamagedError, match=r"model\.fp32\.onnx is missing") as info:
        open_bundle(tiny_bundle)
    assert info.value.data["file"] == "model.fp32.onnx"


@pytest.mark.parametrize("name", ["notes.txt", "deep/below/notes.txt"])
def test_a_file_that_is_not_listed_is_refused(tiny_bundle: Path, name: str) -> None:
    (tiny_bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (tiny_bundle / name).touch()
    with pytest.raises(BundleDamagedError, match=name):
        open_bundle(tiny_bundle)


def test_golden_samples_are_read_in_order(tiny_bundle: Path) -> None:
    samples = read_golden(open_bundle(tiny_bundle))
    assert [sample.intent for sample in samples] == [
        "lights_off",
        "lights_on",
        "play_music",
        "weather",
    ]


@pytest.mark.parametrize(
    "content", [b"not JSON\n", b'{"text": "a"}\n', b"\xff\n", b'{"text": "\xff"}\n']
)
def test_a_broken_golden_line_is_refused(tiny_bundle: Path, content: bytes) -> None:
    rewrite_golden(tiny_bundle, content)
    with pytest.raises(BundleDamagedError, match=r"golden\.jsonl cannot be read"):
        read_golden(open_bundle(tiny_bundle))


def test_a_golden_sample_needs_a_confidence_for_each_variant(tiny_bundle: Path) -> None:
    sample = GoldenSample(text="lights on", intent="lights_on", confidence={"int8": 0.9})
    rewrite_golden(tiny_bundle, msgspec.json.encode(sample) + b"\n")
    with pytest.raises(BundleDamagedError, match="line 1: no confidence for variant 'fp32'"):
        read_golden(open_bundle(tiny_bundle))
