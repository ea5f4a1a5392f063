# SPDX-License-Identifier: Apache-2.0
"""Runs a command again and again, killed after each of its requests in turn, and after each time once more to its end.

Only requests that change something count: to be killed after a look is to be killed after the change before it. As a
program it takes the command's arguments, in which {n} becomes the number of the request, and prints a line of JSON for
each: what was killed after which request, and how the second run ended. It ends when a run was not killed any more. All runs are children of one process that has imported everything, so that each takes no longer than its requests.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import tempfile
from functools import partialmethod
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter

from amphora_image.cli.main import main as amphora_image

_SEND = HTTPAdapter.send
#: A request that carries an image's bytes is cut a second time, in their middle.
_CARRIES_BYTES = ("/file", "/stage")


def _counted(adapter: HTTPAdapter, killer: Killer, *args: Any, **kwargs: Any) -> Any:
    return killer.send(adapter, *args, **kwargs)


class Killer:
    """Kills its process after the answer to request number ``at``; ``within``: while its body is sent."""

    def __init__(self, at: int, note: Path, *, within: bool) -> None:
        self.left = at
        self.note = note
        self.within = within

    def send(self, adapter: HTTPAdapter, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.left -= (changes := request.method != "GET" and "/auth/tokens" not in request.path_url)
        if self.left or not changes:
            return _SEND(adapter, request, *args, **kwargs)
        self.note.write_text(f"{request.method} {request.path_url}")
        if self.within:
            request.body = self.half(iter(request.body))
        _SEND(adapter, request, *args, **kwargs)
        return self.die()

    def half(self, blocks: Any) -> Any:
        yield next(blocks)
        self.die()

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def run(arguments: list[str], out: Path, killer: Killer | None = None) -> int:
    """Run the command in a child, with all it says in ``out``; give its wait status."""
    sys.stdout.flush()  # else the child has it, too
    child = os.fork()
    if not child:
        with out.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            if killer is not None:
                HTTPAdapter.send = partialmethod(_counted, killer)  # type: ignore[assignment]
            code = amphora_image(arguments)
            sys.stdout.flush()
            os._exit(code)
    return os.waitpid(child, 0)[1]


def walk(arguments: list[str], number: int, folder: Path, *, within: bool) -> dict[str, Any] | None:
    """Kill one run and see the next to its end; None when there are not so many requests."""
    step, note = f"{number}{'h' if within else ''}", folder / "note"
    note.unlink(missing_ok=True)
    arguments = [each.replace("{n}", step) for each in arguments]
    status = run(arguments, folder / "out", Killer(number, note, within=within))
    if not note.exists():
        return None
    again = run(arguments, folder / "out")
    return {
        "n": step,
        "request": note.read_text(),
        "killed": os.WIFSIGNALED(status),
        "code": os.waitstatus_to_exitcode(again),
        "said": (folder / "out").read_text(),
    }


def main() -> None:
    """Walk through all requests."""
    with tempfile.TemporaryDirectory() as made:
        for number in itertools.count(1):
            step = walk(sys.argv[1:], number, Path(made), within=False)
            if step is None:
                return
            sys.stdout.write(json.dumps(step) + "\n")
            if step["request"].endswith(_CARRIES_BYTES):
                half = walk(sys.argv[1:], number, Path(made), within=True)
                sys.stdout.write(json.dumps(half) + "\n")


if __name__ == "__main__":
    main()
