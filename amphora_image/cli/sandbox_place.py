# SPDX-License-Identifier: Apache-2.0
"""Which sandbox a command means."""

from __future__ import annotations

import os
import pathlib
import shlex
from typing import TYPE_CHECKING

from amphora_image.errors import SandboxError

if TYPE_CHECKING:
    import argparse

    from amphora_image.sandbox import Sandbox


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which sandbox."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--name", default="default", help="which sandbox (default: %(default)s)")
    place.add_argument(
        "--dir",
        metavar="DIR",
        type=pathlib.Path,
        help="its folder (default: amphora-image/sandbox/NAME under $XDG_STATE_HOME or ~/.local/state)",
    )


def place_options(parsed_args: argparse.Namespace) -> str:
    """Give the same options back, as a shell takes them."""
    if parsed_args.dir is not None:
        return f" --dir {shlex.quote(str(parsed_args.dir))}"
    return "" if parsed_args.name == "default" else f" --name {shlex.quote(parsed_args.name)}"


def sandbox_of(parsed_args: argparse.Namespace) -> Sandbox:
    """Give the sandbox that is meant; only here are its modules imported.

    :raises SandboxError: the extra that brings them is not installed.
    """
    try:
        from amphora_image.sandbox.cloud import Sandbox  # noqa: PLC0415  # heavy, and only in the extra
        from amphora_image.sandbox.layout import default_root  # noqa: PLC0415  # as above
    except ModuleNotFoundError as error:
        raise SandboxError(
            f"the sandbox needs {error.name}, which is not installed",
            "install the extra, in a clone: pip install -c constraints.txt '.[sandbox]'",
        ) from error
    return Sandbox(parsed_args.dir or default_root(parsed_args.name, os.environ))
