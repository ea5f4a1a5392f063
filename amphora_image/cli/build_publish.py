# SPDX-License-Identifier: Apache-2.0
"""What ``amphora-image build --publish`` does with the image: nothing but a passed test puts it into Glance."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.errors import ConfigurationError, TrialFailedError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from amphora_image.build.trial import Step

_FIRMWARE = "bios"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that lead the image into Glance."""
    parser.add_argument(
        "--publish",
        action="store_true",
        help="Test the image as `amphora-image test` does and, only if it passes, put it into Glance as `publish` does.",
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="The image's name in Glance, with --publish; default: the file's, without its end.",
    )
    parser.add_argument("--tag", metavar="TAG", help="Promote the image to TAG, with --publish.")


def check_options(options: argparse.Namespace) -> None:
    """Refuse before the build what could not be published after it.

    :raises ConfigurationError: options contradict each other.
    """
    if not options.publish:
        if options.name or options.tag:
            raise ConfigurationError("--name and --tag are for an image in Glance", "add --publish, or leave them out")
        return
    if options.type == "tar":
        raise ConfigurationError("a tar cannot be published", "choose another --type, or leave --publish out")
    from amphora_image.build.builder.request import machine_architecture  # noqa: PLC0415 - heavy

    if (options.arch or machine_architecture()) != "amd64":
        raise ConfigurationError(
            "an image is published once it was tested, and only one for amd64 is", "use `publish` after it"
        )


def publish_tested(
    image: Path, options: argparse.Namespace, *, tell: Callable[[Step], object], run: Callable[[list[str]], int]
) -> int:
    """Test the image, then ``run`` the command ``publish`` for it; give what that ends with. ``tell`` hears of the steps.

    :raises TrialFailedError: it failed the test; nothing was sent, and its console's log is kept beside it.
    :raises MissingProgramsError: the programs that the test takes are missing.
    """
    from amphora_image.build.trial import prepare  # noqa: PLC0415 - heavy

    trial = prepare(image, (_FIRMWARE,), accelerator="tcg", boot_seconds=600.0)
    with tempfile.TemporaryDirectory(prefix="amphora-image-test-") as folder:
        _check(trial.run(_FIRMWARE, Path(folder), tell)[-1], Path(folder, "console.log"), image)
    tag = ["--tag", options.tag] if options.tag else []
    shown = ["-f", options.formatter]
    return run(["publish", str(image), "--name", options.name or image.stem, *tag, *shown])


def _check(last: Step, console: Path, image: Path) -> None:
    if last.failure:
        kept = image.with_name(f"{image.name}.{_FIRMWARE}.console.log")
        kept.write_bytes(console.read_bytes() if console.exists() else b"")
        raise TrialFailedError(f"{last.name!r} ({_FIRMWARE})", last.failure, str(kept))
