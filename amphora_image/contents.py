# SPDX-License-Identifier: Apache-2.0
"""What an image's bytes are, and whether they are safe: judged while they pass by, with oslo.utils' format inspector.

The inspector is the one that Glance, Nova and Ironic have, so that what is let through here is let through there. A
disk format is named as Glance's ``disk_format`` names it.
"""

from __future__ import annotations

from typing import IO, cast

from oslo_utils.imageutils import format_inspector as oslo

from amphora_image.errors import FormatMismatchError, UnsafeImageError

#: What Glance calls formats whose bytes nothing tells apart from any others.
_WITHOUT_MARK = frozenset({"aki", "ami", "ari", "ploop"})
#: Kernels and ramdisks may begin with what looks like a damaged partition table; Glance minds it in neither.
_WITHOUT_TABLE = frozenset({"aki", "ari"})


class Inspector:
    """Judges a stream of bytes as it passes, in bounded memory; ``declared`` is the disk format it is said to have.

    The verdict mostly comes with the first MiB, and what follows then costs nothing. Not thread-safe.
    """

    def __init__(self, declared: str | None = None) -> None:
        self._declared = declared
        self._handed = _Handed()
        self._wrapper = oslo.InspectWrapper(cast("IO[bytes]", self._handed))
        self._format: str | None = None

    @property
    def format(self) -> str | None:
        """The disk format, None while more bytes are needed to tell."""
        return self._format

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes of the stream, of any number.

        :raises UnsafeImageError: the image has a backing file, an external data file, features that nobody knows, two
            formats at once, or a structure that is damaged.
        :raises FormatMismatchError: its format is not the declared one.
        """
        if self._format is None and chunk:
            self._handed.chunk = chunk
            self._wrapper.read(len(chunk))
            self._judge()

    def finish(self) -> str:
        """Say that the stream has ended, and give its disk format.

        :raises UnsafeImageError: as for :meth:`feed`.
        :raises FormatMismatchError: likewise.
        """
        if self._format is None:
            self._wrapper.close()
            self._judge()
        return self._format or "raw"

    def _judge(self) -> None:
        """Settle the format, once there is enough to tell, and check it."""
        try:
            found = self._wrapper.formats
        except Exception as error:  # whatever the inspector stumbles over, it cannot tell what this is
            raise UnsafeImageError(self._declared or "unknown", f"they cannot be read: {error}") from error
        if found is None:
            return
        by_name = {str(one): one for one in found}
        if by_name.keys() == {"gpt", "iso"}:  # an ISO image that also boots from a disk
            del by_name["gpt"]
        if len(by_name) > 1:
            raise UnsafeImageError("+".join(sorted(by_name)), "they are in several formats at once")
        ((name, inspector),) = by_name.items()
        self._check_declared(name)
        self._check_safety(name, inspector)
        self._format = _disk_format(name, self._declared)

    def _check_declared(self, name: str) -> None:
        detected = _disk_format(name, self._declared)
        if self._declared is not None and detected != self._declared:
            raise FormatMismatchError(self._declared, detected)

    def _check_safety(self, name: str, inspector: oslo.FileInspector) -> None:
        try:
            inspector.safety_check()
        except oslo.SafetyCheckFailed as error:
            failed = {check: problem for check, problem in error.failures.items() if not self._is_kernel(name, check)}
            if failed:
                raise UnsafeImageError(name, ", ".join(map(str, failed.values()))) from error
        except oslo.ImageFormatError as error:
            raise UnsafeImageError(name, str(error)) from error

    def _is_kernel(self, name: str, check: str) -> bool:
        return name == "gpt" and check == "mbr" and self._declared in _WITHOUT_TABLE


class _Handed:
    """The stream that oslo.utils' inspector reads from: the one chunk that was handed over."""

    chunk = b""

    def read(self, size: int) -> bytes:  # noqa: ARG002 - always asked for all of it
        return self.chunk


def _disk_format(name: str, declared: str | None) -> str:
    """Say what Glance calls the format that the inspector calls ``name``.

    A disk with a partition table is raw, and so is what has no mark at all, unless it was said to be one without.
    """
    if name not in {"gpt", "raw"} or name == declared:
        return name
    return declared if declared in _WITHOUT_MARK else "raw"
