"""Which calls are written down, and that they come back as they were."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greengrass_components.emulator.calls import (
    Call,
    changes_something,
    environ_of,
    record,
    take_body,
)


def environ(method: str = "POST", path: str = "/", **more: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": BytesIO(), **more}


@pytest.mark.parametrize(
    "call",
    [
        environ("GET", "/bucket/key"),
        environ("HEAD", "/bucket/key"),
        environ("OPTIONS", "/bucket"),
        environ(HTTP_X_AMZ_TARGET="TrentService.DescribeKey"),
        environ(HTTP_X_AMZ_TARGET="TrentService.Sign"),
        environ(HTTP_X_AMZ_TARGET="Logs_20140328.FilterLogEvents"),
        environ(path="/service/GraniteServiceVersion20100801/operation/GetMetricData"),
        environ("POST", "/moto-api/reset"),
    ],
    ids=lambda call: f"{call['REQUEST_METHOD']} {call['PATH_INFO']}",
)
def test_a_look_changes_nothing(call: dict[str, Any]) -> None:
    assert not changes_something(call, b"")


@pytest.mark.parametrize(
    "call",
    [
        environ("PUT", "/bucket/key"),
        environ("DELETE", "/bucket/key"),
        environ("POST", "/bucket", QUERY_STRING="delete"),
        environ("POST", "/greengrass/v2/deployments"),
        environ(HTTP_X_AMZ_TARGET="TrentService.CreateKey"),
        environ(HTTP_X_AMZ_TARGET="TrentService.ScheduleKeyDeletion"),
        environ(HTTP_X_AMZ_TARGET="AWSCognitoIdentityProviderService.SignUp"),
        environ(path="/service/GraniteServiceVersion20100801/operation/PutMetricAlarm"),
    ],
    ids=lambda call: f"{call['REQUEST_METHOD']} {call['PATH_INFO']}",
)
def test_a_change_is_known(call: dict[str, Any]) -> None:
    assert changes_something(call, b"")


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (b"Action=GetCallerIdentity&Version=2011-06-15", False),
        (b"Version=2010-05-08&Action=ListRoles", False),
        (b"Action=CreateRole&RoleName=GetOut", True),
        (b"Action=AssumeRole", True),
        (b"nothing that is known", True),
    ],
)
def test_an_operation_may_stand_in_a_form(body: bytes, changes: bool) -> None:
    call = environ(CONTENT_TYPE="application/x-www-form-urlencoded; charset=utf-8")

    assert changes_something(call, body) == changes


def test_a_body_can_be_read_again() -> None:
    call = environ(CONTENT_LENGTH="3")
    call["wsgi.input"] = BytesIO(b"onetwo")

    assert take_body(call) == b"one"
    assert call["wsgi.input"].read() == b"one"


def test_a_body_in_chunks_gets_a_length() -> None:
    # The server has put the chunks together, and says so no longer.
    call = environ(HTTP_TRANSFER_ENCODING="chunked")
    call["wsgi.input"] = BytesIO(b"one")

    assert take_body(call) == b"one"
    assert call["CONTENT_LENGTH"] == "3"
    assert "HTTP_TRANSFER_ENCODING" not in call


# What a server hands on: bytes, each as one letter.
letters = st.characters(min_codepoint=32, max_codepoint=255, blacklist_characters="\x7f")


@given(
    path=st.text(),
    query=st.text(st.characters(min_codepoint=33, max_codepoint=126)),
    headers=st.dictionaries(
        st.text("ABCXYZ_", min_size=1).map("HTTP_{}".format), st.text(letters), max_size=3
    ),
    body=st.binary(),
)
def test_a_call_comes_back_as_it_was(
    path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    escaped = quote(f"/{path}")
    names = {"HTTP_X_AMZ_META_A_B": "x-amz-meta-a_b"}
    before = {
        **headers,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "text/plain",
        "PATH_INFO": f"/{path}".encode().decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": f"{escaped}?{query}" if query else escaped,
        "REQUEST_METHOD": "PUT",
        "moto.preserved_header_names": names,
    }

    written = msgspec.json.encode(
        record(before, number=7, time=1.5, body="", status=200, made=["AA=="])
    )
    call = msgspec.json.decode(written, type=Call)
    after = environ_of(call, body)

    assert {key: after[key] for key in before} == before
    assert after["wsgi.input"].read() == body
    assert (call.number, call.time, call.status, call.made) == (7, 1.5, 200, ["AA=="])
