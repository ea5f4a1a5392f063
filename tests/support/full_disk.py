# SPDX-License-Identifier: Apache-2.0
"""A sandbox on a disk that fills up, as a program: ``full_disk.py FOLDER``, on a small file system mounted at FOLDER.

Ends with 0 if every start on a full disk said so and left no process, and the one with room again came up.
"""

from __future__ import annotations

import contextlib
import pathlib
import sys

from amphora_image.errors import SandboxError
from amphora_image.sandbox import Sandbox
from amphora_image.sandbox.processes import find
from amphora_image.sandbox.state import State

_MIB = 1024 * 1024
#: None; enough for the state and the configuration; enough for a part of PostgreSQL's files.
_ROOMS_MIB = (0, 1, 25)


def main(folder: pathlib.Path) -> None:
    box, filler = Sandbox(folder / "sandbox"), folder / "filler"
    try:
        for room in _ROOMS_MIB:
            _fill(filler, room)
            _refused(box, room)
        filler.unlink()
        box.up(deadline_seconds=300)
        box.down()
        _fill(filler, 0)
        _refused(box, 0)
        filler.unlink()
        box.up(deadline_seconds=300)
        assert {each.state for each in box.status()} == {"running"}
    finally:
        filler.unlink(missing_ok=True)
        box.down(remove=True)


def _refused(box: Sandbox, room: int) -> None:
    try:
        box.up(deadline_seconds=120)
    except SandboxError as error:
        told = "\n".join([str(error), *error.log_lines])
        sys.stdout.write(f"with {room} MiB: {told}\n")
        assert "No space left on device" in told
    else:
        raise AssertionError(f"it came up with {room} MiB")
    state = State.load(box.layout.state)
    assert state is None or not find(state.sandbox_id)


def _fill(path: pathlib.Path, room_mib: int) -> None:
    with path.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(65536))
        file.truncate(max(0, file.tell() - room_mib * _MIB))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
