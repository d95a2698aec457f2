"""What only a real process shows: the start, pipes, signals, terminals, speed of import."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import casckpt

ROOT = Path(__file__).parents[2]


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "casckpt", *args]


@pytest.fixture
def env() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "error"}


@pytest.fixture
def store(folder: Path) -> Path:
    with casckpt.open(folder / ".casckpt") as store:
        store.thread("a").save({"text": "grün → rot"}, label="planned", tags=["x"])
        store.thread("a").save({"text": "blau"})
    return folder


def test_it_runs(store: Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        command("log", "--oneline"), cwd=store, env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    assert "\x1b" not in done.stdout


def test_errors_and_exit_codes_reach_the_shell(store: Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        command("show", "nobody"), cwd=store, env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("casckpt: no thread nobody")
    assert len(done.stderr.splitlines()) == 1


def test_a_narrow_encoding_gets_escapes(store: Path, env: dict[str, str]) -> None:
    env["PYTHONIOENCODING"] = "latin-1"
    done = subprocess.run(command("show", "a~1"), cwd=store, env=env, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"gr\xfcn \\u2192 rot" in done.stdout
    # A state is UTF-8, whatever the terminal is.
    done = subprocess.run(command("checkout", "a~1"), cwd=store, env=env, capture_output=True)
    assert done.stdout.decode() == '{"text":"grün → rot"}\n'


def test_a_closed_pipe_is_no_error_of_ours(folder: Path, env: dict[str, str]) -> None:
    with casckpt.open(folder / ".casckpt", durability="none") as store:
        thread = store.thread("a")
        for n in range(1500):
            thread.save(n)
    script = f"{' '.join(command('log'))} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == ["141"]


def test_ctrl_c(store: Path, env: dict[str, str]) -> None:
    """`save` waits for its input; the signal comes while it does."""
    del env["PYTHONWARNINGS"]  # a file that the signal leaves half open is no matter
    os.mkfifo(store / "input")

    def heed() -> None:
        """A job that a script has put into the background ignores the signal, and hands that on."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    # Opening the pipe waits until the other end is open too.
    with (
        subprocess.Popen(
            command("save", "a", "input"), cwd=store, env=env, stderr=subprocess.PIPE, text=True,
            preexec_fn=heed,  # noqa: PLW1509 - it does no more than that
        ) as process,
        (store / "input").open("w"),
    ):  # fmt: skip
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    with casckpt.open(store / ".casckpt", create=False) as opened:
        assert opened.thread("a").checkpoint().step == 1


def on_terminal(args: list[str], cwd: Path, env: dict[str, str]) -> tuple[int, str]:
    """Run with standard output and error on a terminal of 60 columns."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command(*args), cwd=cwd, env={"TERM": "xterm", "COLUMNS": "60", **env}, stdout=theirs,
        stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed: that is how Linux says so
                break
            if not part:
                break
            shown += part
        os.close(ours)
    return process.returncode, shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_colour_width_and_ages(store: Path, env: dict[str, str]) -> None:
    code, shown = on_terminal(["log", "--oneline"], store, env)
    assert code == 0
    assert "\x1b[" in shown
    assert "just now" in shown or " ago" in shown


def test_no_color(store: Path, env: dict[str, str]) -> None:
    code, shown = on_terminal(["log", "--oneline"], store, {**env, "NO_COLOR": "1"})
    assert code == 0
    assert "\x1b" not in shown
    assert "planned" in shown
    assert max(map(len, shown.splitlines())) <= 60


def test_a_terminal_gets_readable_json(store: Path, env: dict[str, str]) -> None:
    assert on_terminal(["checkout", "a"], store, env) == (0, '{\n  "text": "blau"\n}\n')
    code, _ = on_terminal(["checkout", "a", "--format", "cbor"], store, env)
    assert code == 2


def test_progress_is_shown_on_a_terminal(store: Path, env: dict[str, str]) -> None:
    (store / "run.jsonl").write_text('{"thread": "t", "step": 0, "state": {}}\n' * 3)
    code, shown = on_terminal(["import", "trace", "run.jsonl"], store, env)
    assert (code, "importing" in shown, "100%" in shown) == (0, True, True)
    code, shown = on_terminal(["gc", "--grace", "0"], store, env)
    assert (code, "\r" in shown, "removed" in shown) == (0, True, True)
    code, shown = on_terminal(["gc"], store, {**env, "TERM": "dumb"})
    assert (code, "\r" in shown, "\x1b" in shown) == (0, False, False)


def test_nothing_heavy_is_imported(env: dict[str, str]) -> None:
    """Neither numpy nor the like, nor what only some commands need."""
    script = "import sys, casckpt.cli.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    )
    heavy = {"numpy", "pydantic", "attr", "hypothesis", "asyncio", "unittest", "importlib.metadata"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize(
    ("closed", "code", "said"),
    [
        ("log >&-", 6, "casckpt: standard input or output is closed\n"),
        ("export >&-", 6, "casckpt: standard input or output is closed\n"),
        ("bundle create - >&-", 6, None),
        ("save b <&-", 6, "casckpt: standard input or output is closed\n"),
        ("import jsonl - <&-", 6, "casckpt: standard input or output is closed\n"),
        ("export -o out.jsonl <&- >&- 2>&-", 0, ""),
        ("log >&- 2>&- <&-", 6, ""),
    ],
)
def test_closed_streams_are_an_error_in_one_line(
    store: Path, env: dict[str, str], closed: str, code: int, said: str | None
) -> None:
    line = f"{sys.executable} -m casckpt {closed}"
    done = subprocess.run(["sh", "-c", line], cwd=store, env=env, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr
    assert (done.returncode, said is None or done.stderr == said) == (code, True), done.stderr


def test_a_store_never_gets_the_number_of_a_closed_stream(store: Path, env: dict[str, str]) -> None:
    """Whoever prints by number would print into its data file."""
    script = (
        "import os\n"
        "from casckpt.cli.streams import open_streams\n"
        "open_streams()\n"
        "with open('opened', 'wb') as file:\n"
        "    file.write(str(file.fileno()).encode())\n"
    )
    (store / "script.py").write_text(script)
    line = f"{sys.executable} script.py <&- >&- 2>&-"
    done = subprocess.run(["sh", "-c", line], cwd=store, env=env, check=False)
    assert done.returncode == 0
    assert int((store / "opened").read_text()) > 2
