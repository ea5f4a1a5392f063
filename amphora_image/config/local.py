# SPDX-License-Identifier: Apache-2.0
"""The options of images in files of this machine, and of the cache, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oslo_config import cfg, types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IMAGE_FILE = "image_file"
IMAGE_CACHE = "image_cache"


class _Folder(types.String):
    """The absolute path of a folder: what is relative would mean another one in each process."""

    def __init__(self) -> None:
        super().__init__(type_name="absolute path")

    def __call__(self, value: object) -> str:
        """Check one.

        :raises ValueError: it is not absolute.
        """
        text = str(super().__call__(value))
        if not text.startswith("/"):
            raise ValueError(f"{text!r} is no absolute path")
        return text


_IMAGE_FILE = [
    cfg.ListOpt(
        "allowed_roots",
        item_type=_Folder(),
        default=[],
        mutable=True,
        help="Folders that file:// images may be read from. What counts is where a file really lies, past every "
        "symbolic link. Empty means that no local file is read.",
    ),
]

_IMAGE_CACHE = [
    cfg.Opt(
        "path",
        type=_Folder(),
        mutable=True,
        help="Folder that pinned images from elsewhere are kept in, by their digest. It has to belong to this user alone, "
        "and any number of processes may share it. Empty means that nothing is kept.",
    ),
    cfg.IntOpt(
        "max_bytes",
        default=20 * 1024**3,
        min=0,
        mutable=True,
        help="How much may be kept. What was not used for the longest time goes first, and what is in use never; 0 sets "
        "no limit.",
    ),
    cfg.IntOpt(
        "max_age_seconds",
        default=7 * 24 * 3600,
        min=0,
        mutable=True,
        help="How long an image is kept that nobody uses, and the beginning of one whose download was interrupted; 0 sets "
        "no limit.",
    ),
]

#: group → options; ours alone.
LOCAL_OPTIONS: Mapping[str, Sequence[cfg.Opt]] = {IMAGE_FILE: _IMAGE_FILE, IMAGE_CACHE: _IMAGE_CACHE}
