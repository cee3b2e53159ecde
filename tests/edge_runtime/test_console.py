from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from edge_runtime.console import no_progress, print_json, reporting_errors, showing_progress
from edge_runtime.errors import EdgeError, QualityGateError


def test_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": "two\nlines", "score": 0.5})
    assert capsys.readouterr().out == '{"text":"two\\nlines","score":0.5}\n'


def test_json_goes_to_the_stream_that_is_given() -> None:
    stream = io.StringIO()
    print_json([1], stream=stream)
    assert stream.getvalue() == "[1]\n"


@pytest.mark.parametrize(("error", "code"), [(EdgeError, 1), (QualityGateError, 3)])
def test_an_error_is_one_line_on_stderr_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], error: type[EdgeError], code: int
) -> None:
    with pytest.raises(SystemExit) as info, reporting_errors():
        raise error("something\n  is wrong")
    assert info.value.code == code
    assert capsys.readouterr() == ("", "error: something is wrong\n")


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), reporting_errors():
        raise ZeroDivisionError


def test_what_the_system_refuses_to_this_user_is_one_line(
    capsys: pytest.CaptureFixture[str], locked_folder: Path
) -> None:
    model = locked_folder / "model"
    with pytest.raises(SystemExit) as info, reporting_errors():
        model.is_dir()
    assert info.value.code == 1
    assert capsys.readouterr().err == (
        f"error: permission denied: {model}; mend its rights, or give another place\n"
    )


def test_a_refusal_that_names_no_file_keeps_its_traceback() -> None:
    with pytest.raises(PermissionError), reporting_errors():
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def test_an_interrupt_exits_as_a_shell_expects(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as info, reporting_errors():
        raise KeyboardInterrupt
    assert info.value.code == 130
    assert capsys.readouterr().err.startswith("interrupted")


def test_progress_in_a_log_is_the_first_line_and_the_last() -> None:
    log = io.StringIO()
    with showing_progress(log) as progress:
        for done in range(1, 101):
            progress("training", done, 100, f"loss {done}")
    assert log.getvalue() == "  training 1/100 loss 1\n  training 100/100 loss 100\n"


def test_progress_on_a_terminal_is_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    with showing_progress(terminal) as progress:
        progress("training", 1, 2, "loss 0.5")
        progress("training", 2, 2, "loss 0.1")
    assert "training" in terminal.getvalue()
    assert "2/2 loss 0.1" in terminal.getvalue()


def test_no_progress_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    no_progress("training", 1, 2)
    assert capsys.readouterr() == ("", "")
