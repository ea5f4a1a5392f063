# SPDX-License-Identifier: Apache-2.0
"""Whether Glance has the bytes that were meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors import HashMismatchError, ImportFailedError, ServerConversionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from amphora_image.models import ImageRecord

#: The hash that is expected, which the plug-in in Glance compares the staged bytes with.
SHA512 = "amphora_image_sha512"
#: What the plug-in leaves: the hash that it found. A client cannot set it, for Glance keeps ``os_glance`` to itself.
VERIFIED = "os_glance_amphora_image_sha512"

BY_GLANCE = "os_hash_value"
BY_BOTH = "os_hash_value, amphora_image_verify"
BY_PLUGIN = "amphora_image_verify, before Glance converted it"
BY_NOBODY = "nobody: Glance converted it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """The bytes that were meant: their ``disk_format``, ``sha512`` and ``size``, None where it is not known.

    ``digest`` hashes them by another algorithm, None where they are not here.
    """

    disk_format: str
    sha512: str
    size: int | None
    digest: Callable[[str], str] | None = None


def verify(record: ImageRecord, meant: Meant, *, imported: bool, accept_conversion: bool = False) -> str:
    """Say by what it is known that ``record`` has the bytes that were meant.

    Only what was ``imported`` can have been converted; a plain upload is stored as it comes.

    :raises ServerConversionError: Glance made another image of them, and that was not accepted.
    :raises HashMismatchError: it has other bytes.
    :raises ImportFailedError: it cannot be known: Glance hashes by an algorithm that nobody here can.
    """
    by_plugin = record.properties.get(VERIFIED) == meant.sha512
    if imported and (changed := _changed(record, meant)):
        if not accept_conversion:
            raise ServerConversionError(record.id, changed)
        return BY_PLUGIN if by_plugin else BY_NOBODY
    expected = _expected(record, meant)
    if record.hash_value != expected:
        raise HashMismatchError(record.id, expected, record.hash_value or "")
    return BY_BOTH if by_plugin else BY_GLANCE


def _changed(record: ImageRecord, meant: Meant) -> str:
    """Say what Glance made of the image, empty where it kept it as it was."""
    if record.disk_format != meant.disk_format:
        return f"it was {meant.disk_format} and is {record.disk_format}"
    if meant.size is not None and record.size != meant.size:
        return f"it had {meant.size} bytes and has {record.size}"
    return ""


def _expected(record: ImageRecord, meant: Meant) -> str:
    """Give the hash that Glance should have found, by the algorithm that it uses (``[DEFAULT] hashing_algorithm``)."""
    if record.hash_algo == "sha512":
        return meant.sha512
    if meant.digest is None or not record.hash_algo:
        reason = f"Glance hashes by {record.hash_algo}, so that what it fetched cannot be compared with a sha512"
        raise ImportFailedError(record.id, reason)
    return meant.digest(record.hash_algo)
