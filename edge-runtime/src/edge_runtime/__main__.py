"""The runtime's command line: classify, serve, verify, bench."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType

from edge_runtime.benchmark import measure_bundle
from edge_runtime.classifier import Answer, IntentClassifier
from edge_runtime.console import print_json, reporting_errors
from edge_runtime.holder import ModelHolder, follow_offers
from edge_runtime.transports.http import HttpServer
from edge_runtime.transports.stdin import answer_lines, read_lines
from edge_runtime.verification import verify_bundle

__all__ = ["main"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_JOIN_SECONDS = 5.0


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Raises:
        SystemExit: wrong usage (2), or an error that the user can mend (1).
    """
    arguments = _parser().parse_args(argv)
    with reporting_errors():
        arguments.command(arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m edge_runtime", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    bundle = argparse.ArgumentParser(add_help=False)
    bundle.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="the bundle")
    json = argparse.ArgumentParser(add_help=False)
    json.add_argument("--json", action="store_true", help="one JSON object a line")
    engine = argparse.ArgumentParser(add_help=False)
    engine.add_argument(
        "--variant", metavar="NAME", help="default: the first that this device can use"
    )
    engine.add_argument(
        "--threads", type=_whole_number(1, 256), default=1, metavar="N", help="default: 1"
    )

    classify = commands.add_parser("classify", parents=[bundle, engine, json], help="answer texts")
    classify.add_argument("texts", nargs="+", metavar="TEXT")
    classify.set_defaults(command=_classify)

    serve = commands.add_parser("serve", parents=[engine], help="answer on HTTP or stdin")
    source = serve.add_mutually_exclusive_group(required=True)
    source.add_argument("--bundle", type=Path, metavar="DIR", help="serve this bundle")
    source.add_argument(
        "--offers", type=Path, metavar="DIR", help="serve what is offered in this folder"
    )
    serve.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
    serve.add_argument(
        "--port", type=_whole_number(0, 65535), default=8765, help="default: 8765; 0: a free one"
    )
    serve.add_argument(
        "--stdin", action="store_true", help="JSON lines on stdin and stdout in place of HTTP"
    )
    serve.set_defaults(command=_serve)

    verify = commands.add_parser(
        "verify", parents=[bundle, json], help="check every byte and self-test every variant"
    )
    verify.set_defaults(command=_verify)

    bench = commands.add_parser("bench", parents=[bundle, engine, json], help="measure one variant")
    bench.add_argument(
        "--repeats", type=_whole_number(1, 100_000), default=20, metavar="N", help="default: 20"
    )
    bench.set_defaults(command=_bench)
    return parser


class _whole_number:  # noqa: N801 - argparse calls it like a type and shows its name
    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high

    def __call__(self, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = self._low - 1
        if not self._low <= number <= self._high:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {self._low} to {self._high}"
            )
        return number


def _classify(arguments: argparse.Namespace) -> None:
    with IntentClassifier.open(
        arguments.bundle, variant=arguments.variant, threads=arguments.threads
    ) as classifier:
        for text in arguments.texts:
            answer = classifier.classify(text)
            if arguments.json:
                print_json(answer)
            else:
                print(_line(answer), flush=True)


def _line(answer: Answer) -> str:
    best = answer.candidates[0]
    if answer.out_of_scope:
        return f"{answer.text!r}: out of scope (nearest {best.intent}, {best.confidence:.1%})"
    return f"{answer.text!r}: {best.intent} ({best.confidence:.1%})"


def _verify(arguments: argparse.Namespace) -> None:
    found = verify_bundle(arguments.bundle)
    if arguments.json:
        print_json(found)
        return
    print(f"{found.name} {found.version}: {found.files} files intact")
    for check in found.variants:
        passed = f"{check.samples} golden samples answered as expected"
        print(
            f"  {check.name}: {f'left out, needs {check.left_out}' if check.left_out else passed}"
        )


def _bench(arguments: argparse.Namespace) -> None:
    found = measure_bundle(
        arguments.bundle,
        variant=arguments.variant,
        threads=arguments.threads,
        repeats=arguments.repeats,
    )
    if arguments.json:
        print_json(found)
        return
    latency = found.latency
    print(f"{found.name} {found.version}, variant {found.variant}")
    print(f"  load         {found.load_seconds:9.3f} s")
    print(f"  answer p50   {latency.p50_ms:9.3f} ms")
    print(f"  answer p95   {latency.p95_ms:9.3f} ms")
    print(f"  peak memory  {found.peak_memory_mib:9.1f} MiB")
    print(f"  {latency.texts} texts, each {latency.repeats} times, batch size 1")


def _serve(arguments: argparse.Namespace) -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    holder = ModelHolder(variant=arguments.variant, threads=arguments.threads)
    serve = _serve_stdin if arguments.stdin else _serve_http
    followers = []
    if arguments.offers is not None:
        followers.append(
            threading.Thread(
                target=follow_offers,
                args=(holder, arguments.offers),
                kwargs={"stop": stop},
                daemon=True,
            )
        )
    try:
        serve(arguments, holder, followers)
    finally:
        stop.set()
        for thread in followers:
            if thread.is_alive():
                thread.join(_JOIN_SECONDS)
        holder.close()


def _load(
    arguments: argparse.Namespace, holder: ModelHolder, followers: Iterable[threading.Thread]
) -> None:
    for thread in followers:
        thread.start()
    if arguments.bundle is not None:
        holder.swap(arguments.bundle)


def _serve_http(
    arguments: argparse.Namespace, holder: ModelHolder, followers: Iterable[threading.Thread]
) -> None:
    wait_for_signal = _catch_signals()
    _load(arguments, holder, followers)
    with HttpServer(holder, host=arguments.host, port=arguments.port) as server:
        print_json({"listening": server.url})
        wait_for_signal()


def _catch_signals() -> Callable[[], None]:
    # The system may hand a signal to any thread, such as one of numpy's, so a blocked main
    # thread would not notice. The wake-up socket is written to whichever thread it is.
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    for number in _SIGNALS:
        signal.signal(number, lambda _number, _frame: None)

    def wait() -> None:
        with reader, writer:
            reader.recv(1)
            signal.set_wakeup_fd(-1)

    return wait


def _serve_stdin(
    arguments: argparse.Namespace, holder: ModelHolder, followers: Iterable[threading.Thread]
) -> None:
    stopper = _Stopper()
    for number in _SIGNALS:
        signal.signal(number, stopper.stop)
    _load(arguments, holder, followers)
    answer_lines(
        stopper.until_stopped(read_lines(sys.stdin.buffer)), sys.stdout.buffer, holder=holder
    )


class _StoppedError(Exception):
    """A signal came while waiting for a line."""


class _Stopper:
    """Ends the reading of lines at a signal, but never the answer in progress."""

    def __init__(self) -> None:
        self._stopped = False
        self._waiting = False

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopped = True
        if self._waiting:
            self._waiting = False
            raise _StoppedError

    def until_stopped(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        try:
            while True:
                self._waiting = True
                if self._stopped:
                    return
                line = next(lines, None)
                self._waiting = False
                if line is None:
                    return
                yield line
        except _StoppedError:
            return
        finally:
            self._waiting = False


if __name__ == "__main__":
    sys.exit(main())
