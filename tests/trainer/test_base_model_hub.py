"""What a model hub answers and what is made of it, against a small server in its place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from trainer.base_model import find_base_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "example/tiny-bert"


class Answer(NamedTuple):
    """What the hub says to a request: status, and its code and message for a library."""

    status: int
    code: str = ""
    message: str = ""


OPEN = Answer(200)
REFUSED = (
    f"the hub refuses base model '{NAME}' to this HF_TOKEN (HTTP {{}}); set a valid one that may "
    "read it, or none"
)


class Hub(ThreadingHTTPServer):
    """A hub with one model, whose two doors can be closed: the listing, and its files."""

    def __init__(self, folder: Path, *, listing: Answer, files: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.listing, self.files = folder, listing, files
        self.fetched: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub = self.server
        path = self.path.partition("?")[0]
        if path == f"/api/models/{NAME}/revision/main":
            names = [{"rfilename": one.name} for one in sorted(hub.folder.iterdir())]
            listing = {"id": NAME, "sha": COMMIT, "siblings": names}
            self._send(hub.listing, json.dumps(listing).encode())
        elif path == f"/api/models/{NAME}/tree/{COMMIT}":
            # Later versions of the library ask for the files by themselves.
            tree = [
                {"type": "file", "path": one.name, "size": one.stat().st_size, "oid": "0" * 40}
                for one in sorted(hub.folder.iterdir())
            ]
            self._send(hub.listing, json.dumps(tree).encode())
        elif path.startswith(f"/{NAME}/resolve/{COMMIT}/"):
            name = path.rpartition("/")[2]
            if self.command == "GET":
                hub.fetched.append(name)
            self._send(hub.files, (hub.folder / name).read_bytes())
        else:
            self._send(Answer(404, "RepoNotFound", "Repository not found"), b"")

    def _send(self, answer: Answer, content: bytes) -> None:
        self.send_response(answer.status)
        if answer.status == 200:
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
        else:
            content = b""
            self.send_header("X-Error-Code", answer.code)
            self.send_header("X-Error-Message", answer.message)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def folder(tiny_base_model: Path, tmp_path: Path) -> Path:
    """What the hub has: a copy of the tiny model, with more files than are needed."""
    copy = tmp_path / "on-the-hub"
    shutil.copytree(tiny_base_model, copy)
    (copy / "README.md").write_text("---\nlicense: mit\n---\n")
    (copy / "pytorch_model.bin").write_bytes(b"the same in another format")
    (copy / "model.onnx").write_bytes(b"and in another")
    return copy


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., Hub]]:
    """Start a hub; ``listing`` and ``files`` are its answers."""
    hubs: list[Hub] = []

    def start(*, listing: Answer = OPEN, files: Answer = OPEN) -> Hub:
        hub = Hub(folder, listing=listing, files=files)
        hubs.append(hub)
        threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return hub

    yield start
    for hub in hubs:
        hub.shutdown()
        hub.server_close()


_FIND = (
    "import sys\n"
    "from trainer.base_model import find_base_model\n"
    "from trainer.errors import BaseModelError\n"
    "try:\n"
    "    base = find_base_model(sys.argv[1])\n"
    "except BaseModelError as error:\n"
    "    print(error)\n"
    "else:\n"
    "    print(base.name, base.revision, base.licence, base.digest)\n"
)


def find(hub: Hub, home: Path, name: str = NAME, *, script: str = _FIND, **environment: str) -> str:
    """Ask for a base model in a process of its own: the hub's library reads its settings once."""
    settings = {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}",
        "HF_HOME": str(home / "cache"),
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    inherited = {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}
    done = subprocess.run(
        [sys.executable, "-c", script, name],
        cwd=Path(__file__).resolve().parents[2],
        env={**inherited, **settings, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_for_counting_tokens_the_tokenizer_alone_is_fetched(
    serve: Callable[..., Hub], tmp_path: Path
) -> None:
    hub = serve()
    script = (
        "import sys\n"
        "from trainer.base_model import find_tokenizer\n"
        "print(find_tokenizer(sys.argv[1]).name)\n"
    )
    assert find(hub, tmp_path, script=script) == "tokenizer.json"
    assert hub.fetched == ["tokenizer.json"]


def test_a_model_is_fetched_once_and_only_what_is_used_of_it(
    serve: Callable[..., Hub], folder: Path, tmp_path: Path
) -> None:
    hub = serve()
    found = find(hub, tmp_path)
    assert found == f"{NAME} {COMMIT} mit {find_base_model(str(folder)).digest}"
    needed = ["README.md", "config.json", "model.safetensors", "tokenizer.json"]
    assert sorted(hub.fetched) == needed
    assert find(hub, tmp_path) == found
    assert sorted(hub.fetched) == needed


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_model_says_whose_terms_to_accept(
    serve: Callable[..., Hub], tmp_path: Path, status: int
) -> None:
    # Everybody may see the listing of a gated model, and its files only who was let in.
    hub = serve(files=Answer(status, "GatedRepo", "Access to this model is restricted."))
    assert find(hub, tmp_path) == (
        f"base model '{NAME}' is gated: accept its terms on the hub, then set HF_TOKEN to a "
        "token of that account"
    )


@pytest.mark.parametrize("status", [401, 404])
def test_an_absent_model_is_said_to_be_absent(
    serve: Callable[..., Hub], tmp_path: Path, status: int
) -> None:
    hub = serve(listing=Answer(status, "RepoNotFound", "Repository not found"))
    assert find(hub, tmp_path) == (
        f"no base model '{NAME}': neither a folder here nor a model on the hub, unless a "
        "private one; check the name, or set HF_TOKEN"
    )


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        (
            Answer(401, "", "Invalid credentials in Authorization header"),
            REFUSED.format(401),
        ),
        (
            Answer(403, "", "Your token lacks this permission"),
            REFUSED.format(403),
        ),
        (
            Answer(403, "", "Access to this resource is disabled."),
            f"base model '{NAME}' is disabled on the hub; give another",
        ),
        (
            Answer(503),
            f"the hub cannot give base model '{NAME}' now (HTTP 503); try later, or give a folder",
        ),
    ],
)
def test_every_other_refusal_has_its_reason(
    serve: Callable[..., Hub], tmp_path: Path, listing: Answer, said: str
) -> None:
    assert find(serve(listing=listing), tmp_path, HF_TOKEN="hf_nobody") == said


def test_a_model_without_safetensors_is_refused_before_its_other_formats_are_fetched(
    serve: Callable[..., Hub], folder: Path, tmp_path: Path
) -> None:
    (folder / "model.safetensors").unlink()
    hub = serve()
    assert f"base model {NAME} has no model.safetensors" in find(hub, tmp_path)
    assert "pytorch_model.bin" not in hub.fetched


def test_weights_in_several_files_are_refused_with_what_to_do(
    serve: Callable[..., Hub], folder: Path, tmp_path: Path
) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")
    hub = serve()
    assert "are in several files; save it with one" in find(hub, tmp_path)
    assert "model-00001-of-00002.safetensors" not in hub.fetched


def test_what_was_fetched_is_found_when_the_hub_is_down(
    serve: Callable[..., Hub], tmp_path: Path
) -> None:
    hub = serve()
    found = find(hub, tmp_path)
    hub.listing = hub.files = Answer(503)
    assert find(hub, tmp_path) == found
