from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime import offers
from edge_runtime.offers import OfferError, offer_bundle, read_offers


@pytest.fixture
def standalone(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a copy of offers.py where no installed package can be imported."""
    script = tmp_path / "component" / "offers.py"
    script.parent.mkdir()
    shutil.copy(offers.__file__, script)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-S", str(script), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_an_offer_names_the_bundle_and_its_manifest(tiny_bundle: Path, tmp_path: Path) -> None:
    path = offer_bundle(tiny_bundle, tmp_path / "offers")
    assert path == tmp_path / "offers" / "tiny.json"
    manifest = (tiny_bundle / "manifest.json").read_bytes()
    assert json.loads(path.read_bytes()) == {
        "bundle": str(tiny_bundle),
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
    }


def test_an_offer_is_read_back(tiny_bundle: Path, tmp_path: Path) -> None:
    offer_bundle(tiny_bundle, tmp_path / "offers")
    (offer,) = read_offers(tmp_path / "offers")
    assert offer.model == "tiny"
    assert offer.bundle == tiny_bundle
    assert offer.problem == ""


def test_an_offer_of_the_same_model_takes_the_place_of_the_old(
    tiny_bundle: Path, tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    newer = make_tiny_bundle(tmp_path / "newer", version="1.1.0")
    offer_bundle(tiny_bundle, tmp_path / "offers")
    offer_bundle(newer, tmp_path / "offers")
    assert [offer.bundle for offer in read_offers(tmp_path / "offers")] == [newer]


def test_a_relative_path_is_offered_as_an_absolute_one(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_bundle.parent)
    offer_bundle(Path(tiny_bundle.name), Path("offers"))
    assert read_offers(tmp_path / "offers")[0].bundle == tiny_bundle


def test_a_folder_that_does_not_exist_holds_no_offers(tmp_path: Path) -> None:
    assert read_offers(tmp_path / "nowhere") == []


def test_half_written_offers_are_not_seen(tmp_path: Path) -> None:
    (tmp_path / ".tiny.json.partial").write_text("{", encoding="utf-8")
    (tmp_path / ".hidden.json").write_text("{", encoding="utf-8")
    assert read_offers(tmp_path) == []


def test_what_a_kill_left_behind_is_cleaned_up_by_the_next_offer(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "offers"
    folder.mkdir()
    (folder / ".tiny.json.partial").write_text("{", encoding="utf-8")
    offer_bundle(tiny_bundle, folder)
    assert [path.name for path in folder.iterdir()] == ["tiny.json"]


def test_the_newest_offer_comes_first(
    tiny_bundle: Path, tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    older = offer_bundle(tiny_bundle, tmp_path / "offers")
    newer = offer_bundle(make_tiny_bundle(tmp_path / "b", name="a-lamp"), tmp_path / "offers")
    os.utime(older, ns=(10, 10))
    os.utime(newer, ns=(20, 20))
    assert [offer.model for offer in read_offers(tmp_path / "offers")] == ["a-lamp", "tiny"]
    os.utime(older, ns=(30, 30))
    assert [offer.model for offer in read_offers(tmp_path / "offers")] == ["tiny", "a-lamp"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"bundle": "/b"}',
        b'{"bundle": 1, "manifest_sha256": "%s"}' % (b"0" * 64),
        b'{"bundle": "relative", "manifest_sha256": "%s"}' % (b"0" * 64),
        b'{"bundle": "/b", "manifest_sha256": "short"}',
    ],
)
def test_a_file_that_is_no_offer_is_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tiny.json").write_bytes(content)
    (offer,) = read_offers(tmp_path)
    assert "tiny.json is not an offer" in offer.problem


def test_a_folder_without_a_bundle_cannot_be_offered(tmp_path: Path) -> None:
    with pytest.raises(OfferError, match="no bundle at"):
        offer_bundle(tmp_path, tmp_path / "offers")
    assert not (tmp_path / "offers").exists()


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"{}", b'{"name": 3}', b'{"name": "../up"}', b'{"name": "tiny\\n"}']
)
def test_a_manifest_without_a_usable_name_cannot_be_offered(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(OfferError, match=r"manifest\.json"):
        offer_bundle(tmp_path, tmp_path / "offers")
    assert not (tmp_path / "offers").exists()


def test_an_offers_folder_that_is_a_file_is_named(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "offers").touch()
    with pytest.raises(OfferError, match="cannot write"):
        offer_bundle(tiny_bundle, tmp_path / "offers")


def test_the_file_alone_offers_a_bundle(
    standalone: Callable[..., subprocess.CompletedProcess[str]], tiny_bundle: Path, tmp_path: Path
) -> None:
    done = standalone("offer", tiny_bundle, tmp_path / "offers")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert read_offers(tmp_path / "offers")[0].bundle == tiny_bundle


def test_the_file_alone_reports_a_missing_bundle_in_one_line(
    standalone: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = standalone("offer", tmp_path / "nowhere", tmp_path / "offers")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no bundle at ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["offer"], ["offer", "a"], ["withdraw", "a", "b"]])
def test_wrong_usage_of_the_file_alone_exits_2(
    standalone: Callable[..., subprocess.CompletedProcess[str]], arguments: list[str]
) -> None:
    assert standalone(*arguments).returncode == 2
