"""parliament, as it is called."""

from __future__ import annotations

import json
import subprocess
import sys

from greengrass_components.policies import parliament_process


def test_the_process_reads_and_writes_json() -> None:
    statement = {"Sid": "X", "Effect": "Allow", "Action": ["s3:GetObjekt"], "Resource": ["*"]}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    asked = json.dumps([{"text": text, "audit": False}])
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-m", parliament_process.__name__],
        input=asked,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [
        {
            "document": 0,
            "statement": 0,
            "issue": "UNKNOWN_ACTION",
            "detail": "Unknown action s3:GetObjekt",
        }
    ]
    assert done.stderr == ""
