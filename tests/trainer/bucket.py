"""What lies in the bucket of the fixture ``s3``."""

from __future__ import annotations

from typing import Any


def keys(s3: Any, prefix: str) -> set[str]:
    found = s3.list_objects_v2(Bucket="shelf", Prefix=prefix).get("Contents", [])
    return {one["Key"].removeprefix(prefix) for one in found}
