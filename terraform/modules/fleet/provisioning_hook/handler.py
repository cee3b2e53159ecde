"""Decides who may join the fleet: the serial numbers that somebody put on the list.

AWS IoT calls this before it provisions a device with a claim certificate
(https://docs.aws.amazon.com/iot/latest/developerguide/pre-provisioning-hook.html). A serial
number is on the list when the object ``allowlist/<serial number>`` exists.
"""

from __future__ import annotations

import logging
import os
import re
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger()
logger.setLevel(logging.INFO)

SERIAL_NUMBER = re.compile(r"(?!claim-)[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""What a serial number looks like. It becomes part of a thing's name and of topics.

Claims connect under names that go on with ``claim-``, so no device may have such a name.
"""


def handler(event: dict[str, Any], _context: object) -> dict[str, bool]:
    """Say whether a device may be provisioned. Whatever goes wrong, the answer is no.

    Args:
        event: what AWS IoT sends; ``parameters.SerialNumber`` names the device.

    Returns:
        ``allowProvisioning``.
    """
    parameters = event.get("parameters")
    serial = parameters.get("SerialNumber") if isinstance(parameters, dict) else None
    if not isinstance(serial, str) or not SERIAL_NUMBER.fullmatch(serial):
        # Its words are not logged: they are a stranger's.
        logger.warning("refused: not a serial number")
        return {"allowProvisioning": False}
    allowed = _is_listed(serial)
    logger.info("%s: %s", "allowed" if allowed else "refused", serial)
    return {"allowProvisioning": allowed}


def _is_listed(serial: str) -> bool:
    # Listed and not looked at: the role may list this folder only, and S3 answers 403 instead
    # of 404 to whoever looks at an object that is not there without the right to list.
    try:
        key = f"{os.environ['ALLOWLIST_PREFIX']}{serial}"
        listed = boto3.client("s3").list_objects_v2(
            Bucket=os.environ["ALLOWLIST_BUCKET"], Prefix=key, MaxKeys=1
        )
    except (BotoCoreError, ClientError, KeyError) as error:
        logger.error("cannot look at the list: %s", error)
        return False
    # S3 lists by key, so the very key comes before those that go on after it.
    return [entry["Key"] for entry in listed.get("Contents", [])] == [key]
