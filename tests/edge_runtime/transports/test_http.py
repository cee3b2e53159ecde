from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SelfTestError, TransportError
from edge_runtime.holder import ModelHolder
from edge_runtime.transports.http import MAX_TEXTS, HttpServer


def test_a_text_is_answered(client: Any, holder: ModelHolder) -> None:
    reply = client.classify({"text": "lights on"})
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json["intent"] == "lights_on"
    assert reply.json["text"] == "lights on"
    assert reply.json["confidence"] == holder.classify("lights on").confidence


def test_a_text_out_of_scope_has_no_intent(client: Any) -> None:
    answer = client.classify({"text": "open the door"}).json
    assert answer["intent"] is None
    assert answer["out_of_scope"] is True


def test_texts_are_answered_in_order(client: Any) -> None:
    reply = client.classify({"texts": ["rain", "lights on", "song"]})
    assert reply.status == 200
    assert [answer["intent"] for answer in reply.json["answers"]] == [
        "weather",
        "lights_on",
        "play_music",
    ]


def test_no_texts_get_no_answers(client: Any) -> None:
    assert client.classify({"texts": []}).json == {"answers": []}


def test_as_many_texts_as_allowed_are_answered(client: Any) -> None:
    assert len(client.classify({"texts": ["rain"] * MAX_TEXTS}).json["answers"]) == MAX_TEXTS


def test_several_requests_share_a_connection(client: Any) -> None:
    connection = client.connect()
    for _ in range(3):
        connection.request("POST", "/v1/classify", body=b'{"text": "rain"}')
        assert json.loads(connection.getresponse().read())["intent"] == "weather"
    connection.close()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"lights on", "malformed"),
        (b"[]", "Expected `object`"),
        (b"{}", 'either "text" or "texts"'),
        (b'{"text": "a", "texts": ["b"]}', 'either "text" or "texts"'),
        (b'{"text": 7}', "Expected `str`, got `int`"),
        (b'{"text": null}', "Expected `str`, got `null`"),
        (b'{"texts": "rain"}', "Expected `array`"),
        (b'{"texts": ["rain", 7]}', r"Expected `str`, got `int` - at `$.texts[1]`"),
        (b'{"text": "rain", "langauge": "en"}', "unknown field `langauge`"),
        (b'{"text": "\xff"}', "can't decode byte 0xff"),
        (b'{"text": "\\ud800"}', "not a question"),
        (b"[" * 60_000, "not a question"),
        (json.dumps({"texts": ["rain"] * (MAX_TEXTS + 1)}).encode(), "length <= 64"),
        (b'{"text": "  "}', "the text is empty"),
        (b'{"texts": ["rain", ""]}', "the text is empty"),
        (json.dumps({"text": "x" * 201}).encode(), "has 201 characters, at most 200"),
    ],
)
def test_a_wrong_question_gets_one_clear_line(client: Any, body: bytes, reason: str) -> None:
    reply = client.ask("POST", "/v1/classify", body)
    assert reply.status == 400
    assert list(reply.json) == ["error"]
    assert reason in reply.json["error"]
    assert "\n" not in reply.json["error"]


@given(body=st.binary(max_size=300))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_get_a_reply_in_json(client: Any, body: bytes) -> None:
    reply = client.ask("POST", "/v1/classify", body)
    assert reply.status == 400
    assert list(reply.json) == ["error"]


@given(content=st.binary(min_size=1, max_size=300))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_that_are_no_request_leave_the_server_serving(
    client: Any, content: bytes, read_all: Callable[[socket.socket], bytes]
) -> None:
    with client.open() as raw:
        raw.sendall(content)
        raw.shutdown(socket.SHUT_WR)
        read_all(raw)
    assert client.ask("GET", "/healthz").status == 200


def test_a_client_that_asks_whether_to_go_on_is_told_to(
    client: Any, read_all: Callable[[socket.socket], bytes], request_of: Callable[..., bytes]
) -> None:
    with client.open() as raw:
        raw.sendall(request_of(b"", "Content-Length: 16", "Expect: 100-continue"))
        assert raw.recv(1 << 16).startswith(b"HTTP/1.1 100 ")
        raw.sendall(b'{"text": "rain"}')
        assert b'"intent":"weather"' in read_all(raw)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/classify/", "/healthz/x", "/../etc/passwd"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_gets_404(client: Any, method: str, path: str) -> None:
    reply = client.ask(method, path)
    assert reply.status == 404
    assert "/v1/classify" in reply.json["error"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/classify", "POST"),
        ("DELETE", "/v1/classify", "POST"),
        ("PUT", "/v1/classify", "POST"),
        ("POST", "/healthz", "GET"),
        ("PATCH", "/metrics", "GET"),
        ("OPTIONS", "/metrics", "GET"),
    ],
)
def test_a_wrong_method_gets_405_and_the_right_one(
    client: Any, method: str, path: str, allowed: str
) -> None:
    reply = client.ask(method, path)
    assert reply.status == 405
    assert reply.headers["Allow"] == allowed
    assert list(reply.json) == ["error"]


def test_a_reply_to_head_has_no_body(client: Any) -> None:
    reply = client.send(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 405 ")
    assert reply.endswith(b"\r\n\r\n")


def test_a_method_that_nobody_knows_gets_json_too(client: Any) -> None:
    reply = client.ask("BREW", "/healthz")
    assert reply.status == 501
    assert list(reply.json) == ["error"]


@pytest.mark.parametrize(
    "content",
    [
        b"lights on please now\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    ],
    ids=["words", "version", "long path", "many headers"],
)
def test_a_broken_request_gets_a_json_error(
    client: Any, content: bytes, read_all: Callable[[socket.socket], bytes]
) -> None:
    with client.open() as raw:
        raw.sendall(content)
        raw.shutdown(socket.SHUT_WR)
        head, _, body = read_all(raw).partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.1 (4|5)\d\d ", head)
    assert list(json.loads(body)) == ["error"]


def test_a_body_where_none_belongs_is_not_taken_for_a_request(client: Any) -> None:
    hidden = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    head = f"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: {len(hidden)}\r\n\r\n"
    reply = client.send(head.encode() + hidden)
    assert reply.count(b"HTTP/1.1") == 1
    assert b'"status":"serving"' in reply


def test_health_tells_what_is_served(client: Any) -> None:
    reply = client.ask("GET", "/healthz")
    assert reply.status == 200
    assert reply.json == {
        "status": "serving",
        "name": "tiny",
        "version": "1.0.0",
        "variant": "int8",
        "error": None,
    }


def test_health_of_a_degraded_runtime_is_still_200(
    client: Any, holder: ModelHolder, tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    with pytest.raises(SelfTestError):
        holder.swap(make_tiny_bundle(tmp_path / "failing", golden_offset=-0.1))
    reply = client.ask("GET", "/healthz")
    assert reply.status == 200
    assert reply.json["status"] == "degraded"
    assert "self-test" in reply.json["error"]
    assert client.classify({"text": "rain"}).status == 200


def test_a_waiting_runtime_answers_503(connect_to: Callable[[str], Any]) -> None:
    with HttpServer(ModelHolder()) as server:
        client = connect_to(server.url)
        health = client.ask("GET", "/healthz")
        assert (health.status, health.json["status"]) == (503, "waiting")
        reply = client.classify({"text": "rain"})
        assert reply.status == 503
        assert "no model is loaded" in reply.json["error"]
        assert client.metric('edgewise_requests_total{outcome="unavailable"}') == 1


def test_metrics_are_in_the_text_format(client: Any) -> None:
    client.classify({"text": "rain"})
    reply = client.ask("GET", "/metrics")
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    sample = re.compile(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+')
    comment = re.compile(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))")
    lines = reply.body.decode().splitlines()
    assert all(comment.fullmatch(line) or sample.fullmatch(line) for line in lines)
    assert 'edgewise_model_info{name="tiny",version="1.0.0",variant="int8"} 1' in lines


def test_metrics_count_outcomes_and_out_of_scope(
    client: Any, request_of: Callable[..., bytes]
) -> None:
    client.classify({"texts": ["rain", "open the door"]})
    client.classify({"text": "song"})
    client.classify({"text": ""})
    client.send(request_of(b""))
    assert client.metric('edgewise_requests_total{outcome="answered"}') == 2
    assert client.metric('edgewise_requests_total{outcome="refused"}') == 2
    assert client.metric("edgewise_texts_total") == 3
    assert client.metric("edgewise_out_of_scope_total") == 1
    assert client.metric("edgewise_classify_seconds_count") == 2
    assert client.metric('edgewise_classify_seconds_bucket{le="+Inf"}') == 2


def test_an_engine_that_fails_gets_500(
    client: Any, holder: ModelHolder, tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    assert holder._classifier is not None
    holder._classifier.close()
    reply = client.classify({"text": "rain"})
    assert reply.status == 500
    assert "the session is closed" in reply.json["error"]
    assert client.metric('edgewise_requests_total{outcome="failed"}') == 1


def test_a_port_that_is_taken_is_named(holder: ModelHolder) -> None:
    with HttpServer(holder) as server:
        port = urlsplit(server.url).port or 0
        with pytest.raises(TransportError, match=f"cannot listen on 127.0.0.1:{port}: .*another"):
            HttpServer(holder, port=port)


def test_a_host_that_is_not_ours_is_refused(holder: ModelHolder) -> None:
    with pytest.raises(TransportError, match=r"cannot listen on 192\.0\.2\.1"):
        HttpServer(holder, host="192.0.2.1")


def test_many_clients_at_once_get_their_own_answers(client: Any) -> None:
    wanted = {"rain": "weather", "song": "play_music", "lights on": "lights_on"}
    found: list[tuple[str, str]] = []

    def ask(text: str) -> None:
        replies = [client.classify({"text": text}) for _ in range(10)]
        found.extend((text, reply.json["intent"]) for reply in replies)

    threads = [threading.Thread(target=ask, args=(text,)) for text in wanted for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 90
    assert set(found) == set(wanted.items())
