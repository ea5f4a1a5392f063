# SPDX-License-Identifier: Apache-2.0
"""Unpacking zstd, where the library for it is installed."""

from __future__ import annotations

from amphora_image.build.inspection.structure import DamagedError, MissingDecoderError

_LARGEST_WINDOW = 8 << 20


def unpack_zstd(packed: bytes, size: int) -> bytes:
    """Unpack at most ``size`` bytes of the frame that ``packed`` begins with; what follows the frame is ignored.

    :raises DamagedError: it is no such frame.
    :raises MissingDecoderError: the library is not installed.
    """
    try:
        import zstandard  # noqa: PLC0415 - of an extra, and for few images
    except ImportError as error:
        raise MissingDecoderError("its contents are compressed with zstd") from error
    try:
        return zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).stream_reader(packed).read(size)
    except zstandard.ZstdError as error:
        raise DamagedError(f"what is compressed in it cannot be unpacked: {error}") from error
