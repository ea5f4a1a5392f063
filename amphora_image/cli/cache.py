# SPDX-License-Identifier: Apache-2.0
"""``amphora-image cache list|verify|prune``: what is kept of downloaded images."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cliff.lister import Lister

from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from amphora_image.services.cache import Cache
    from amphora_image.services.cache_store import Kept

_SHOWN = ("digest", "size", "source", "stored_at", "used_at")


class List(Lister):
    """List the images in the cache, the one that was used last at the end.

    The cache is the folder that [image_cache] path names; what is in it is found by its digest.
    """

    def take_action(self, _: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """List without hashing anything."""
        return _SHOWN, [_row(one) for one in open_cache(self.app.options).kept()]


class Verify(Lister):
    """Hash every image in the cache, and remove those that are not right any more.

    Ends with 1 where there was one; the next fetch of it downloads it again. An image that was written to since it was
    stored is noticed without this; a disk that changes bytes by itself is not.
    """

    _exit_code = 0

    def take_action(self, _: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Hash all, and tell what was found."""
        found = list(open_cache(self.app.options).verify())
        self._exit_code = 0 if all(right for _, right in found) else 1
        return (*_SHOWN, "state"), [(*_row(one), "right" if right else "damaged, removed") for one, right in found]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """End with 1 where an image was damaged."""
        return super().run(parsed_args) or self._exit_code


class Prune(Lister):
    """Remove from the cache what is over its limits, and list what went; --all removes all that nobody uses.

    The limits are [image_cache] max_bytes and max_age_seconds. Every download keeps to them; this is for after a change
    of them, and for a cache that is not used any more.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take whether all shall go."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--all",
            action="store_true",
            help="Remove all images but those in use, and what interrupted downloads left.",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Prune, and list the removed."""
        cache = open_cache(self.app.options)
        return _SHOWN, [_row(one) for one in (cache.clear() if parsed_args.all else cache.prune())]


def open_cache(options: argparse.Namespace) -> Cache:
    """Open the cache that the configuration names.

    :raises ConfigurationError: it names none, or one that cannot be used.
    """
    from amphora_image.config import load  # noqa: PLC0415 - heavy
    from amphora_image.services.cache import Cache  # noqa: PLC0415 - heavy

    cache = Cache.of(load(options.config_file, options.config_dir))
    if cache is None:
        raise ConfigurationError("there is no cache: [image_cache] path is empty", "set it to a folder of this user's")
    return cache


def _row(one: Kept) -> tuple[Any, ...]:
    stored, used = (
        datetime.fromtimestamp(each, UTC).isoformat(timespec="seconds") for each in (one.stored_at, one.used_at)
    )
    return (str(one.pin), one.size, one.source, stored, used)
