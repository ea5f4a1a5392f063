# SPDX-License-Identifier: Apache-2.0
"""Running a real program while its command line, and those of all it starts, are watched for secrets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BIN = Path(sys.executable).parent
AMPHORA_IMAGE = str(BIN / "amphora-image")

#: What every Fernet token, as Keystone issues them, begins with.
FERNET = "gAAAA"

_PAUSE_SECONDS = 0.01


@dataclass(frozen=True)
class Ended:
    """What a program said and did; ``logs`` is what it wrote to its log file, ``command_lines`` what /proc showed."""

    code: int
    stdout: str
    stderr: str
    command_lines: frozenset[str]
    logs: str = ""

    def holds_none_of(self, secrets: Iterable[str]) -> Ended:
        """Fail when anything that others may read holds a secret or a token."""
        for where in ("stdout", "stderr", "logs", "command_lines"):
            text = getattr(self, where)
            assert_none_of(secrets, text if isinstance(text, str) else "\n".join(text), where)
        return self

    def failed(self, code: int, *parts: str, after: str = "") -> Ended:
        """Fail unless it ended with ``code`` and one line that has the ``parts`` in that order.

        The line ends with the remedy, after the last semicolon; that is where the last part is. ``after`` begins a
        warning that comes before it.
        """
        assert self.code == code, f"exit code {self.code}, not {code}: {self.stderr}"
        *warned, error = self.stderr.splitlines()
        assert [line.startswith(after) for line in warned] == [True] * bool(after), f"not one line: {self.stderr}"
        assert error.startswith("amphora-image: "), self.stderr
        assert "Traceback" not in self.stderr + self.stdout
        assert not self.stdout, self.stdout
        problem, _, remedy = error.rpartition("; ")
        assert re.search(".*".join(map(re.escape, parts[:-1])), problem), f"{parts} not in: {self.stderr}"
        assert parts[-1] in remedy, f"{parts[-1]!r} is not the remedy in: {self.stderr}"
        return self


def assert_none_of(secrets: Iterable[str], text: str, where: str) -> None:
    """Fail, without printing the secret, when ``text`` holds one, or a token of Keystone's."""
    found = [number for number, secret in enumerate(secrets) if secret in text]
    assert not found, f"{where} holds secret number {found[0]}"
    token = text.find(FERNET)
    assert token < 0, f"{where} holds what looks like a token, after {text[max(0, token - 60) : token]!r}"


def run(
    command: Sequence[str | Path],
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    log: Path | None = None,
    timeout: float = 60,
    stdin: str | None = None,
) -> Ended:
    """Run a program in ``folder``, which is its HOME too, with no variable of anybody's cloud but ``environ``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "XDG_"))}
    started = subprocess.Popen(
        list(map(str, command)),
        cwd=folder,
        env={**inherited, "HOME": str(folder), **(environ or {})},
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    seen: set[str] = set()
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(started.pid, seen, ended))
    watcher.start()
    try:
        stdout, stderr = started.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        started.kill()
        started.communicate()
        raise
    finally:
        ended.set()
        watcher.join()
    logs = log.read_text(encoding="utf-8") if log is not None and log.exists() else ""
    return Ended(started.returncode, stdout, stderr, frozenset(seen), logs)


def _watch(pid: int, seen: set[str], ended: threading.Event) -> None:
    """Note the command lines of a process and of all below it, until it has ended."""
    while not ended.wait(_PAUSE_SECONDS):
        for each in _family(pid):
            try:
                seen.add(Path(f"/proc/{each}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue


def _family(pid: int) -> list[int]:
    """Give a process and its descendants, children of every thread."""
    family = [pid]
    for each in family:
        try:
            tasks = list(Path(f"/proc/{each}/task").glob("*/children"))
            family.extend(int(child) for task in tasks for child in task.read_text().split())
        except OSError:
            continue
    return family
