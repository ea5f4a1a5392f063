# SPDX-License-Identifier: Apache-2.0
"""The options of images in files of this machine, and of the cache, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oslo_config import cfg, types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

IMAGE_FILE = "image_file"


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

#: group → options; ours alone.
LOCAL_OPTIONS: Mapping[str, Sequence[cfg.Opt]] = {IMAGE_FILE: _IMAGE_FILE}
