"""Folders with unpacked Terraform providers, for machines that cannot reach the registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["PROVIDER", "find_provider_mirrors"]

PROVIDER = "hashicorp/aws"
"""The one provider that the configuration needs: namespace and name."""

# Add-on software is installed into folders of its own below these.
_SHARED_ROOTS = (Path("/usr/local/share"), Path("/usr/local/lib"), Path("/opt"))


def find_provider_mirrors(environment: Mapping[str, str]) -> list[Path]:
    """Find folders with an unpacked AWS provider, for machines without the registry.

    Looks where Terraform looks by itself
    (https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories),
    in the plugin cache, and one level below the folders where add-on software is installed.
    The layout is ``<folder>/<host>/hashicorp/aws/<version>/<os>_<arch>/``.

    Args:
        environment: where ``TF_PLUGIN_CACHE_DIR``, ``XDG_DATA_HOME``, ``XDG_DATA_DIRS`` and
            ``HOME`` are looked up.

    Returns:
        Folders that hold the provider in any version, the most specific first.
    """
    home = Path(environment.get("HOME") or Path.home())
    data_home = Path(environment.get("XDG_DATA_HOME") or home / ".local/share")
    data_folders = (environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    candidates = [
        home / ".terraform.d/plugins",
        data_home / "terraform/plugins",
        *(Path(folder) / "terraform/plugins" for folder in data_folders if folder),
        home / ".terraform.d/plugin-cache",
    ]
    if cache := environment.get("TF_PLUGIN_CACHE_DIR"):
        candidates.insert(0, Path(cache))
    for root in (data_home, *_SHARED_ROOTS):
        candidates.extend(sorted(root.glob("*/")))
    found = [folder for folder in candidates if any(folder.glob(f"*/{PROVIDER}/*/*"))]
    return list(dict.fromkeys(found))
