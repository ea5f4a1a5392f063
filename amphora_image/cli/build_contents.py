# SPDX-License-Identifier: Apache-2.0
"""The options of ``amphora-image build`` that say what shall be in the image."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse


def add_contents(parser: argparse.ArgumentParser) -> None:
    """Take what shall be in the image."""
    parser.add_argument("--os", default="ubuntu-minimal", metavar="OS", help="ubuntu-minimal (default), debian, …")
    parser.add_argument("--release", metavar="NAME", help="Of the system, as its mirror calls it: trixie, noble.")
    parser.add_argument(
        "--arch", metavar="ARCH", help="amd64 or arm64; of a tar also armhf or ppc64le. Default: this machine's."
    )
    parser.add_argument(
        "--tiny",
        action="store_true",
        help="No agent: HAProxy with one fixed answer on port 80, to try a cloud or a pipeline with.",
    )
    parser.add_argument(
        "--element",
        action="append",
        default=[],
        metavar="NAME",
        help="Add an element of ELEMENTS_PATH; may be repeated.",
    )
    parser.add_argument(
        "--only-elements",
        default="",
        metavar="NAMES",
        help="These instead of all that would make an amphora, the operating system's among them; --element adds to them.",
    )
    parser.add_argument(
        "--package", action="append", default=[], metavar="NAME", help="Install a package more; may be repeated."
    )
    parser.add_argument("--no-ssh", action="store_true", help="Leave no SSH server in it.")
    parser.add_argument("--enforcing", action="store_true", help="Mandatory access control that refuses.")
    parser.add_argument("--cpu-pinning", action="store_true", help="Keep the CPUs but the first to HAProxy.")
    parser.add_argument("--fips", action="store_true", help="FIPS 140 mode; systems of Red Hat's family.")
    parser.add_argument(
        "--root-password",
        action="store_true",
        help="Open the account root with the password in AMPHORA_ROOT_PASSWORD: for debugging, never for production.",
    )


def check_contents(options: argparse.Namespace) -> None:
    """Refuse options that would have no effect, or cannot have theirs.

    :raises ConfigurationError: there are such.
    """
    amphoras = ("no_ssh", "enforcing", "cpu_pinning", "fips", "root_password")
    idle = [f"--{name.replace('_', '-')}" for name in amphoras if getattr(options, name)]
    if idle and (options.tiny or options.only_elements):
        problem = f"{', '.join(idle)} would have no effect: the elements are not those of an amphora"
        raise ConfigurationError(problem, "leave out --tiny and --only-elements, or name elements with --element")
    if options.root_password and not os.environ.get("AMPHORA_ROOT_PASSWORD"):
        raise ConfigurationError(
            "AMPHORA_ROOT_PASSWORD is not set", "set it to the password, or leave --root-password out"
        )
