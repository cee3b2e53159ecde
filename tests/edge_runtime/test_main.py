from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.offers import offer_bundle

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def start_runtime() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``python -m edge_runtime`` with arguments; it is killed at the end if it runs."""
    children: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-m", "edge_runtime", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def read_json(child: subprocess.Popen[str]) -> Any:
    assert child.stdout is not None
    return json.loads(child.stdout.readline())


def ask(url: str, text: str) -> Any:
    request = urllib.request.Request(
        f"{url}/v1/classify", data=json.dumps({"text": text}).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def assert_one_line(done: subprocess.CompletedProcess[str], start: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(start)
    assert done.stderr.count("\n") == 1


def test_classify_prints_one_line_a_text(run_runtime: Run, tiny_bundle: Path) -> None:
    done = run_runtime("classify", "--bundle", tiny_bundle, "lights on", "open the door")
    assert done.returncode == 0
    assert done.stdout == (
        "'lights on': lights_on (98.9%)\n"
        "'open the door': out of scope (nearest lights_off, 25.0%)\n"
    )
    assert done.stderr == ""


def test_classify_prints_one_json_object_a_text(run_runtime: Run, tiny_bundle: Path) -> None:
    done = run_runtime(
        "classify", "--bundle", tiny_bundle, "--variant", "fp32", "--json", "lights on", "rain"
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(answer["text"], answer["intent"]) for answer in answers] == [
        ("lights on", "lights_on"),
        ("rain", "weather"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variant", "int4", "rain"], "error: the bundle has no variant 'int4'"),
        ([""], "error: the text is empty"),
        (["x" * 10_000], "error: the text has 10000 characters"),
        (["\udcff"], "error: the text is not valid Unicode"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_exit_1(
    run_runtime: Run, tiny_bundle: Path, arguments: list[str], message: str
) -> None:
    assert_one_line(run_runtime("classify", "--bundle", tiny_bundle, *arguments), message)


@pytest.mark.parametrize("command", ["classify", "serve", "verify", "bench"])
def test_a_missing_bundle_is_one_line_and_exit_1(
    run_runtime: Run, tmp_path: Path, command: str
) -> None:
    texts = ["rain"] if command == "classify" else []
    done = run_runtime(command, "--bundle", tmp_path / "nowhere", *texts)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("error: no bundle at ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["verify", "bench", "serve"])
def test_a_damaged_bundle_is_refused_by_every_command(
    run_runtime: Run, tiny_bundle: Path, command: str
) -> None:
    path = tiny_bundle / "model.int8.onnx"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    done = run_runtime(command, "--bundle", tiny_bundle)
    assert done.returncode == 1
    assert "model.int8.onnx is damaged" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["predict"],
        ["classify", "rain"],
        ["classify", "--bundle", "b"],
        ["serve"],
        ["serve", "--bundle", "b", "--offers", "o"],
        ["serve", "--bundle", "b", "--port", "65536"],
        ["serve", "--bundle", "b", "--port", "http"],
        ["bench", "--bundle", "b", "--repeats", "0"],
        ["classify", "--bundle", "b", "--threads", "0", "rain"],
    ],
)
def test_wrong_usage_exits_2(run_runtime: Run, arguments: list[str]) -> None:
    done = run_runtime(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage:")


def test_verify_names_what_it_checked(run_runtime: Run, tiny_bundle: Path) -> None:
    done = run_runtime("verify", "--bundle", tiny_bundle)
    assert done.returncode == 0
    assert done.stdout == (
        "tiny 1.0.0: 6 files intact\n"
        "  int8: 4 golden samples answered as expected\n"
        "  fp32: 4 golden samples answered as expected\n"
    )


def test_verify_as_json(run_runtime: Run, tiny_bundle: Path) -> None:
    found = json.loads(run_runtime("verify", "--bundle", tiny_bundle, "--json").stdout)
    assert found["name"] == "tiny"
    assert [check["samples"] for check in found["variants"]] == [4, 4]


def test_bench_prints_a_table(run_runtime: Run, tiny_bundle: Path) -> None:
    done = run_runtime("bench", "--bundle", tiny_bundle, "--repeats", "2")
    assert done.returncode == 0
    first, *rows = done.stdout.splitlines()
    assert first == "tiny 1.0.0, variant int8"
    assert [row.split()[0] for row in rows] == ["load", "answer", "answer", "peak", "4"]


def test_bench_as_json(run_runtime: Run, tiny_bundle: Path) -> None:
    found = json.loads(run_runtime("bench", "--bundle", tiny_bundle, "--json").stdout)
    assert found["variant"] == "int8"
    assert found["latency"]["repeats"] == 20
    assert 0 < found["latency"]["p50_ms"] <= found["latency"]["p95_ms"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_on_the_address_it_prints_and_stops_on_a_signal(
    start_runtime: Callable[..., subprocess.Popen[str]], tiny_bundle: Path, number: signal.Signals
) -> None:
    child = start_runtime("serve", "--bundle", tiny_bundle, "--port", "0")
    url = read_json(child)["listening"]
    assert url.startswith("http://127.0.0.1:")
    assert ask(url, "lights on")["intent"] == "lights_on"
    child.send_signal(number)
    output, errors = child.communicate(timeout=60)
    assert child.returncode == 0
    assert output == ""
    assert "Traceback" not in errors


def test_serve_answers_the_request_in_flight_when_it_is_stopped(
    start_runtime: Callable[..., subprocess.Popen[str]], tiny_bundle: Path
) -> None:
    child = start_runtime("serve", "--bundle", tiny_bundle, "--port", "0")
    host, _, port = read_json(child)["listening"].removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as raw:
        raw.sendall(
            b"POST /v1/classify HTTP/1.1\r\nContent-Length: 16\r\nExpect: 100-continue\r\n\r\n"
        )
        assert raw.recv(1 << 16).startswith(b"HTTP/1.1 100 ")
        child.send_signal(signal.SIGTERM)
        raw.sendall(b'{"text": "rain"}')
        reply = b"".join(iter(lambda: raw.recv(1 << 16), b""))
    assert b'"intent":"weather"' in reply
    assert child.wait(timeout=60) == 0


def test_serve_follows_offers(
    start_runtime: Callable[..., subprocess.Popen[str]], tiny_bundle: Path, tmp_path: Path
) -> None:
    offer_bundle(tiny_bundle, tmp_path / "offers")
    child = start_runtime("serve", "--offers", tmp_path / "offers", "--port", "0")
    url = read_json(child)["listening"]
    assert child.stderr is not None
    assert any("serving tiny 1.0.0" in line for line in iter(child.stderr.readline, ""))
    assert ask(url, "rain")["intent"] == "weather"
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=60) == 0


def test_serve_without_an_offer_waits_and_stops(
    start_runtime: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    child = start_runtime("serve", "--offers", tmp_path / "offers", "--port", "0")
    url = read_json(child)["listening"]
    with pytest.raises(urllib.error.HTTPError) as info:
        urllib.request.urlopen(f"{url}/healthz", timeout=60)
    with info.value as reply:
        assert reply.code == 503
        assert json.load(reply)["status"] == "waiting"
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=60) == 0


def test_serve_on_a_taken_port_is_one_line(run_runtime: Run, tiny_bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_runtime("serve", "--bundle", tiny_bundle, "--port", port)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: cannot listen on 127.0.0.1:{port}")


def test_serve_on_stdin_answers_until_the_end(run_runtime: Run, tiny_bundle: Path) -> None:
    done = run_runtime("serve", "--bundle", tiny_bundle, "--stdin", stdin='"rain"\nbad\n"song"\n')
    assert done.returncode == 0
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert (first["intent"], third["intent"]) == ("weather", "play_music")
    assert second["line"] == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_on_stdin_stops_on_a_signal(
    start_runtime: Callable[..., subprocess.Popen[str]], tiny_bundle: Path, number: signal.Signals
) -> None:
    child = start_runtime("serve", "--bundle", tiny_bundle, "--stdin")
    assert child.stdin is not None
    child.stdin.write('"rain"\n')
    child.stdin.flush()
    assert read_json(child)["intent"] == "weather"
    child.send_signal(number)
    assert child.wait(timeout=60) == 0


def test_a_reader_that_went_away_is_no_traceback(tiny_bundle: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "edge_runtime", "classify", "--bundle", tiny_bundle, "rain"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == ""
