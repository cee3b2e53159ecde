"""Runs parliament (https://github.com/duo-labs/parliament) in a process of its own.

parliament imports ``pkg_resources``, which setuptools no longer has, to find two of its own
files, and compiles with warnings. Both stay in here. Policies come as a JSON list on standard
input, and findings go as a JSON list to standard output.
"""

from __future__ import annotations

import importlib
import json
import sys
import types
from pathlib import Path
from typing import Any

__all__ = ["lint_documents", "main"]


def lint_documents(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lint policy documents.

    Args:
        documents: of each its ``text`` (JSON, in which statements and actions are lists), and in
            ``audit`` whether to look too for rights that lead to more rights, which makes sense
            for what somebody may do.

    Returns:
        A dictionary for each different finding: ``document`` and ``statement`` (places, from 0;
        the second is None for the document as a whole), ``issue`` and ``detail``.
    """
    parliament = _import_parliament()
    findings: dict[str, dict[str, Any]] = {}
    for place, document in enumerate(documents):
        policy = parliament.analyze_policy_string(
            document["text"],
            ignore_private_auditors=True,
            include_community_auditors=document["audit"],
        )
        of_statements = [
            (statement, finding)
            for statement, one in enumerate(policy.statements)
            for finding in one.findings
        ]
        contents = json.loads(document["text"])["Statement"]
        known = {id(finding) for _, finding in of_statements}
        of_policy = [(None, finding) for finding in policy.findings if id(finding) not in known]
        for statement, finding in [*of_policy, *of_statements]:
            if finding.issue == "RESOURCE_MISMATCH" and not _narrow(finding, contents[statement]):
                continue
            content = {
                "document": place,
                "statement": statement,
                "issue": finding.issue,
                "detail": _text(finding),
            }
            # parliament says the same for every action that a wildcard stands for.
            findings.setdefault(json.dumps(content), content)
    return list(findings.values())


def _narrow(finding: Any, statement: dict[str, Any]) -> bool:
    """Leave only the written-out actions in a finding about resources that do not fit.

    A wildcard also stands for actions on other things. Those are not allowed, and meant not to.
    """
    written = {action.lower() for action in statement.get("Action", [])}
    finding.detail = [one for one in finding.detail if one["action"].lower() in written]
    return bool(finding.detail)


def _text(finding: Any) -> str:
    # The auditors say in the place what others say in the detail.
    detail = finding.detail or sorted(finding.location.get("actions", []))
    if isinstance(detail, list):
        parts = [
            f"{one['action']} needs {one['required_format']}" if isinstance(one, dict) else str(one)
            for one in detail
        ]
        return ", ".join(dict.fromkeys(parts))
    return str(detail)


def _import_parliament() -> Any:
    stand_in = types.ModuleType("pkg_resources")
    vars(stand_in)["resource_filename"] = _resource_filename
    sys.modules.setdefault("pkg_resources", stand_in)
    return importlib.import_module("parliament")


def _resource_filename(package: str, name: str) -> str:
    return str(Path(str(sys.modules[package].__file__)).with_name(name))


def main() -> None:
    """Lint what comes in and tell what was found."""
    json.dump(lint_documents(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
