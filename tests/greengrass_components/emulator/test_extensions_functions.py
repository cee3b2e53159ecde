"""Functions of the emulated Lambda: where they log."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from greengrass_components.emulator import start_emulator

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "lambda.amazonaws.com"},
        }
    ],
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield boto3.session.Session()


@pytest.fixture(scope="module")
def role(session: Any) -> str:
    iam = session.client("iam")
    made: str = iam.create_role(RoleName="function", AssumeRolePolicyDocument=json.dumps(TRUST))[
        "Role"
    ]["Arn"]
    iam.close()
    return made


@pytest.fixture
def functions(session: Any) -> Iterator[Any]:
    client = session.client("lambda")
    yield client
    for function in client.list_functions()["Functions"]:
        client.delete_function(FunctionName=function["FunctionName"])
    client.close()


def make(functions: Any, role: str, **more: Any) -> dict[str, Any]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("handler.py", "def handle(event, context):\n    return {}\n")
    made: dict[str, Any] = functions.create_function(
        FunctionName="hook",
        Runtime="python3.12",
        Role=role,
        Handler="handler.handle",
        Code={"ZipFile": content.getvalue()},
        **more,
    )
    return made


class TestLogging:
    def test_a_function_logs_text_to_a_group_of_its_name(self, functions: Any, role: str) -> None:
        made = make(functions, role)

        assert made["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/hook"}

    def test_what_the_creation_says_is_kept(self, functions: Any, role: str) -> None:
        wanted = {
            "LogFormat": "JSON",
            "LogGroup": "/edgewise/hook",
            "ApplicationLogLevel": "INFO",
            "SystemLogLevel": "WARN",
        }
        make(functions, role, LoggingConfig=wanted)

        told = functions.get_function_configuration(FunctionName="hook")

        assert told["LoggingConfig"] == wanted
        assert functions.get_function(FunctionName="hook")["Configuration"]["LoggingConfig"] == (
            wanted
        )

    def test_an_update_changes_what_it_names(self, functions: Any, role: str) -> None:
        make(functions, role, LoggingConfig={"LogFormat": "JSON", "LogGroup": "/edgewise/hook"})

        functions.update_function_configuration(
            FunctionName="hook", LoggingConfig={"LogGroup": "/edgewise/other"}
        )

        told = functions.get_function_configuration(FunctionName="hook")
        assert told["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": "/edgewise/other"}

    def test_an_update_of_something_else_leaves_it(self, functions: Any, role: str) -> None:
        make(functions, role, LoggingConfig={"LogFormat": "JSON"})

        functions.update_function_configuration(FunctionName="hook", Timeout=10)

        told = functions.get_function_configuration(FunctionName="hook")
        assert told["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": "/aws/lambda/hook"}
        assert told["Timeout"] == 10

    def test_a_list_of_functions_tells_it_too(self, functions: Any, role: str) -> None:
        make(functions, role, LoggingConfig={"LogFormat": "JSON"})

        listed = functions.list_functions()["Functions"]

        assert [one["LoggingConfig"]["LogFormat"] for one in listed] == ["JSON"]


class TestPermissions:
    def test_a_second_permission_of_one_id_is_refused(self, functions: Any, role: str) -> None:
        make(functions, role)
        permission = {
            "FunctionName": "hook",
            "StatementId": "IotCallsHook",
            "Action": "lambda:InvokeFunction",
            "Principal": "iot.amazonaws.com",
        }
        functions.add_permission(**permission)

        with pytest.raises(functions.exceptions.ResourceConflictException, match="IotCallsHook"):
            functions.add_permission(**permission)

        functions.remove_permission(FunctionName="hook", StatementId="IotCallsHook")
        functions.add_permission(**permission)
