from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.errors import SelfTestError, TransportError
from edge_runtime.holder import ModelHolder
from edge_runtime.transports.http import MAX_BODY_BYTES, MAX_TEXTS, HttpServer


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks one server, each time on a new connection."""

    def __init__(self, url: str) -> None:
        self.host, self.port = urlsplit(url).hostname, urlsplit(url).port

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host or "", self.port, timeout=60)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return Reply(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def classify(self, question: object) -> Reply:
        return self.ask("POST", "/v1/classify", json.dumps(question).encode())

    def send(self, content: bytes) -> bytes:
        """Send raw bytes and read until the server closes."""
        with self.open() as raw:
            raw.sendall(content)
            return read_all(raw)

    def open(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=60)

    def metric(self, sample: str) -> float:
        text = self.ask("GET", "/metrics").body.decode()
        values = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(sample)]
        assert len(values) == 1
        return float(values[0])


def read_all(raw: socket.socket) -> bytes:
    return b"".join(iter(lambda: raw.recv(1 << 16), b""))


def request(body: bytes, *headers: str) -> bytes:
    head = ("POST /v1/classify HTTP/1.1", "Host: x", "Connection: close", *headers)
    return "\r\n".join((*head, "", "")).encode() + body


@pytest.fixture
def holder(tiny_bundle: Path) -> Iterator[ModelHolder]:
    holder = ModelHolder()
    holder.swap(tiny_bundle)
    yield holder
    holder.close()


@pytest.fixture
def client(holder: ModelHolder) -> Iterator[Client]:
    with HttpServer(holder) as server:
        yield Client(server.url)


@pytest.fixture
def impatient_client(holder: ModelHolder) -> Iterator[Client]:
    """Of a server that gives a request a tenth of a second to arrive."""
    with HttpServer(holder, timeout=0.1) as server:
        yield Client(server.url)


def test_a_text_is_answered(client: Client, holder: ModelHolder) -> None:
    reply = client.classify({"text": "lights on"})
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json["intent"] == "lights_on"
    assert reply.json["text"] == "lights on"
    assert reply.json["confidence"] == holder.classify("lights on").confidence


def test_a_text_out_of_scope_has_no_intent(client: Client) -> None:
    answer = client.classify({"text": "open the door"}).json
    assert answer["intent"] is None
    assert answer["out_of_scope"] is True


def test_texts_are_answered_in_order(client: Client) -> None:
    reply = client.classify({"texts": ["rain", "lights on", "song"]})
    assert reply.status == 200
    assert [answer["intent"] for answer in reply.json["answers"]] == [
        "weather",
        "lights_on",
        "play_music",
    ]


def test_no_texts_get_no_answers(client: Client) -> None:
    assert client.classify({"texts": []}).json == {"answers": []}


def test_as_many_texts_as_allowed_are_answered(client: Client) -> None:
    assert len(client.classify({"texts": ["rain"] * MAX_TEXTS}).json["answers"]) == MAX_TEXTS


def test_several_requests_share_a_connection(client: Client) -> None:
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
def test_a_wrong_question_gets_one_clear_line(client: Client, body: bytes, reason: str) -> None:
    reply = client.ask("POST", "/v1/classify", body)
    assert reply.status == 400
    assert list(reply.json) == ["error"]
    assert reason in reply.json["error"]
    assert "\n" not in reply.json["error"]


@given(body=st.binary(max_size=300))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_get_a_reply_in_json(client: Client, body: bytes) -> None:
    reply = client.ask("POST", "/v1/classify", body)
    assert reply.status == 400
    assert list(reply.json) == ["error"]


@given(content=st.binary(min_size=1, max_size=300))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_that_are_no_request_leave_the_server_serving(client: Client, content: bytes) -> None:
    with client.open() as raw:
        raw.sendall(content)
        raw.shutdown(socket.SHUT_WR)
        read_all(raw)
    assert client.ask("GET", "/healthz").status == 200


def test_a_body_of_the_largest_size_is_read(client: Client) -> None:
    body = b'{"text": "rain"}'.ljust(MAX_BODY_BYTES)
    assert client.ask("POST", "/v1/classify", body).status == 200


@pytest.mark.parametrize("length", [MAX_BODY_BYTES + 1, 20 * MAX_BODY_BYTES])
def test_a_larger_body_gets_413_and_the_client_can_read_it(client: Client, length: int) -> None:
    reply = client.send(request(b" " * length, f"Content-Length: {length}"))
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"more than 65536 bytes" in reply


def test_a_client_that_is_refused_while_it_sends_can_finish_sending(client: Client) -> None:
    with client.open() as raw:
        raw.sendall(request(b" ", f"Content-Length: {4 * MAX_BODY_BYTES}"))
        assert read_all(raw).startswith(b"HTTP/1.1 413 ")
        for _ in range(3):
            raw.sendall(b" " * MAX_BODY_BYTES)


def test_an_announced_body_too_large_is_refused_before_it_is_sent(client: Client) -> None:
    with client.open() as raw:
        raw.sendall(request(b"", "Content-Length: 99999999999999999999999999"))
        raw.shutdown(socket.SHUT_WR)
        assert read_all(raw).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_gets_411(client: Client) -> None:
    assert client.send(request(b"")).startswith(b"HTTP/1.1 411 ")


def test_a_chunked_body_gets_411(client: Client) -> None:
    reply = client.send(request(b"0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 5"))
    assert reply.startswith(b"HTTP/1.1 411 ")


@pytest.mark.parametrize("length", ["-1", "+5", "five", "5, 5", "\u0665"])
def test_a_length_that_is_no_number_gets_400(client: Client, length: str) -> None:
    reply = client.send(request(b"", f"Content-Length: {length}"))
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Length must be one whole number" in reply


def test_two_lengths_get_400(client: Client) -> None:
    reply = client.send(request(b"{}", "Content-Length: 2", "Content-Length: 3"))
    assert reply.startswith(b"HTTP/1.1 400 ")


def test_a_body_shorter_than_announced_gets_400(client: Client) -> None:
    with client.open() as raw:
        raw.sendall(request(b"{}", "Content-Length: 20"))
        raw.shutdown(socket.SHUT_WR)
        assert b"shorter than announced" in read_all(raw)


def test_a_client_that_asks_whether_to_go_on_is_told_to(client: Client) -> None:
    with client.open() as raw:
        raw.sendall(request(b"", "Content-Length: 16", "Expect: 100-continue"))
        assert raw.recv(1 << 16).startswith(b"HTTP/1.1 100 ")
        raw.sendall(b'{"text": "rain"}')
        assert b'"intent":"weather"' in read_all(raw)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/classify/", "/healthz/x", "/../etc/passwd"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_gets_404(client: Client, method: str, path: str) -> None:
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
    client: Client, method: str, path: str, allowed: str
) -> None:
    reply = client.ask(method, path)
    assert reply.status == 405
    assert reply.headers["Allow"] == allowed
    assert list(reply.json) == ["error"]


def test_a_reply_to_head_has_no_body(client: Client) -> None:
    reply = client.send(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 405 ")
    assert reply.endswith(b"\r\n\r\n")


def test_a_method_that_nobody_knows_gets_json_too(client: Client) -> None:
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
def test_a_broken_request_gets_a_json_error(client: Client, content: bytes) -> None:
    with client.open() as raw:
        raw.sendall(content)
        raw.shutdown(socket.SHUT_WR)
        head, _, body = read_all(raw).partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.1 (4|5)\d\d ", head)
    assert list(json.loads(body)) == ["error"]


def test_a_body_where_none_belongs_is_not_taken_for_a_request(client: Client) -> None:
    hidden = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    head = f"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: {len(hidden)}\r\n\r\n"
    reply = client.send(head.encode() + hidden)
    assert reply.count(b"HTTP/1.1") == 1
    assert b'"status":"serving"' in reply


def test_a_client_that_stops_in_the_middle_of_its_body_is_told(impatient_client: Client) -> None:
    with impatient_client.open() as raw:
        raw.sendall(request(b'{"te', "Content-Length: 16"))
        assert read_all(raw).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("content", [b"", b"POST /v1/cl", b"POST /v1/classify HTTP/1.1\r\nHo"])
def test_a_client_that_says_nothing_more_is_let_go(
    impatient_client: Client, content: bytes
) -> None:
    with impatient_client.open() as raw:
        raw.sendall(content)
        assert read_all(raw) == b""


def test_a_client_that_drips_bytes_is_let_go(impatient_client: Client) -> None:
    dripping = threading.Event()
    with impatient_client.open() as raw:

        def drip() -> None:
            try:
                while not dripping.wait(0.02):
                    raw.sendall(b"x")
            except OSError:
                return

        thread = threading.Thread(target=drip)
        raw.sendall(b"GET /")
        thread.start()
        try:
            assert raw.recv(1) == b""
        except ConnectionResetError:
            pass  # the server closed while another byte was on its way
        finally:
            dripping.set()
            thread.join()
    assert impatient_client.ask("GET", "/healthz").status == 200


def test_one_connection_too_many_is_told_to_try_later(client: Client) -> None:
    # An answered connection is one that the server has counted.
    open_ones = [client.connect() for _ in range(64)]
    for connection in open_ones:
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    with client.open() as raw:
        assert read_all(raw).startswith(b"HTTP/1.1 503 ")
    for connection in open_ones:
        connection.close()


def test_health_tells_what_is_served(client: Client) -> None:
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
    client: Client, holder: ModelHolder, tmp_path: Path, make_tiny_bundle: Callable[..., Path]
) -> None:
    with pytest.raises(SelfTestError):
        holder.swap(make_tiny_bundle(tmp_path / "failing", golden_offset=-0.1))
    reply = client.ask("GET", "/healthz")
    assert reply.status == 200
    assert reply.json["status"] == "degraded"
    assert "self-test" in reply.json["error"]
    assert client.classify({"text": "rain"}).status == 200


def test_a_waiting_runtime_answers_503() -> None:
    with HttpServer(ModelHolder()) as server:
        client = Client(server.url)
        health = client.ask("GET", "/healthz")
        assert (health.status, health.json["status"]) == (503, "waiting")
        reply = client.classify({"text": "rain"})
        assert reply.status == 503
        assert "no model is loaded" in reply.json["error"]
        assert client.metric('edgewise_requests_total{outcome="unavailable"}') == 1


def test_metrics_are_in_the_text_format(client: Client) -> None:
    client.classify({"text": "rain"})
    reply = client.ask("GET", "/metrics")
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    sample = re.compile(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+')
    comment = re.compile(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))")
    lines = reply.body.decode().splitlines()
    assert all(comment.fullmatch(line) or sample.fullmatch(line) for line in lines)
    assert 'edgewise_model_info{name="tiny",version="1.0.0",variant="int8"} 1' in lines


def test_metrics_count_outcomes_and_out_of_scope(client: Client) -> None:
    client.classify({"texts": ["rain", "open the door"]})
    client.classify({"text": "song"})
    client.classify({"text": ""})
    client.send(request(b""))
    assert client.metric('edgewise_requests_total{outcome="answered"}') == 2
    assert client.metric('edgewise_requests_total{outcome="refused"}') == 2
    assert client.metric("edgewise_texts_total") == 3
    assert client.metric("edgewise_out_of_scope_total") == 1
    assert client.metric("edgewise_classify_seconds_count") == 2
    assert client.metric('edgewise_classify_seconds_bucket{le="+Inf"}') == 2


def test_an_engine_that_fails_gets_500(
    client: Client, holder: ModelHolder, tmp_path: Path, make_tiny_bundle: Callable[..., Path]
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


def test_a_stop_answers_the_request_in_flight(holder: ModelHolder) -> None:
    server = HttpServer(holder)
    server.start()
    client = Client(server.url)
    stopped: list[bool] = []
    with client.open() as raw:
        raw.sendall(request(b"", "Content-Length: 16", "Expect: 100-continue"))
        assert raw.recv(1 << 16).startswith(b"HTTP/1.1 100 ")
        stopping = threading.Thread(target=lambda: stopped.append(server.stop(seconds=60)))
        stopping.start()
        raw.sendall(b'{"text": "rain"}')
        assert b'"intent":"weather"' in read_all(raw)
        stopping.join()
    assert stopped == [True]


def test_a_stop_does_not_wait_for_idle_connections(holder: ModelHolder) -> None:
    server = HttpServer(holder, timeout=600)
    server.start()
    connection = Client(server.url).connect()
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    assert server.stop(seconds=60)
    connection.close()


def test_a_stop_gives_up_on_a_request_that_does_not_end(holder: ModelHolder) -> None:
    server = HttpServer(holder)
    server.start()
    with Client(server.url).open() as raw:
        raw.sendall(request(b"", "Content-Length: 16", "Expect: 100-continue"))
        raw.recv(1 << 16)
        assert not server.stop(seconds=0)
        raw.sendall(b'{"text": "rain"}')
        read_all(raw)


def test_after_a_stop_nobody_listens(holder: ModelHolder) -> None:
    server = HttpServer(holder)
    server.start()
    client = Client(server.url)
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        client.open()


def test_a_server_that_never_started_can_be_stopped(holder: ModelHolder) -> None:
    assert HttpServer(holder).stop()


def test_many_clients_at_once_get_their_own_answers(client: Client) -> None:
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
