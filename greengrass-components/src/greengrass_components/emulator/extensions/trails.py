"""CloudTrail: trails by name or ARN, also where one is deleted or looked for among others."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["extend_trails"]


def extend_trails() -> None:
    """Mend DeleteTrail and DescribeTrails.

    The first knows names alone and forgives every other, the second always tells of all.
    """
    from moto.cloudtrail.exceptions import TrailNotFoundException
    from moto.cloudtrail.models import CloudTrailBackend
    from moto.cloudtrail.responses import CloudTrailResponse

    def delete_trail(backend: Any, name: str) -> None:
        short = name.rpartition("/")[2]
        if short not in backend.trails:
            raise TrailNotFoundException(backend.account_id, name)
        del backend.trails[short]

    describe_all = CloudTrailResponse.describe_trails

    def describe_trails(response: Any) -> str:
        found = json.loads(describe_all(response))["trailList"]
        if wanted := response._get_param("trailNameList"):
            found = [trail for trail in found if {trail["Name"], trail["TrailARN"]} & {*wanted}]
        return json.dumps({"trailList": found})

    setattr(CloudTrailBackend, "delete_trail", delete_trail)  # noqa: B010 - moto's type differs
    setattr(CloudTrailResponse, "describe_trails", describe_trails)  # noqa: B010
