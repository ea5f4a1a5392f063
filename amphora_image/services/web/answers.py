# SPDX-License-Identifier: Apache-2.0
"""What a web server's answer means: an image, or which of our errors."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from amphora_image.errors import SourceNotFoundError, SourceRefusedError, SourceUnavailableError

if TYPE_CHECKING:
    from amphora_image.reference import UrlReference
    from amphora_image.services.web.request import Answer

#: The answers that are an image or a part of it; 416 is one to a range that begins at the image's end.
OK, PARTIAL, NO_RANGE = 200, 206, 416
_PASSING = frozenset({408, 425, 429})
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
#: Nothing has 10**18 bytes, and thousands of digits are no number to Python.
_LENGTH = re.compile(r"[0-9]{1,18}")


def check_answer(reference: UrlReference, answer: Answer, *, ranged: bool = False) -> None:
    """Let an image pass, and with ``ranged`` a part of one.

    :raises SourceNotFoundError: 404 or 410.
    :raises SourceUnavailableError: 408, 425, 429 or 5xx, with what Retry-After asks for.
    :raises SourceRefusedError: any other answer; a web page or a compressed body too.
    """
    told = f"HTTP {answer.status}"
    match answer.status:
        case 200:
            _check_kind(reference, answer)
        case 206 | 416 if ranged:
            pass
        case 404 | 410:
            raise SourceNotFoundError(reference.shown, told)
        case 401 | 403:
            remedy = "put credentials that may read it into credentials_file in [image_http], for the host that has it"
            raise SourceRefusedError(reference.shown, told, remedy)
        case status if status in _PASSING or status >= 500:
            raise SourceUnavailableError(reference.shown, told, _retry_after(answer))
        case _:
            raise SourceRefusedError(reference.shown, told, "correct the reference, or ask who runs the server")


def strong_etag(answer: Answer) -> str:
    """Give the name of the version that was answered, byte for byte; empty where there is none (RFC 9110, 8.8.1)."""
    etag = answer.header("ETag")
    return "" if etag.startswith("W/") else etag


def version(answer: Answer) -> str:
    """Give what If-Range can compare: a strong ETag, else the time of the last change; empty where there is neither."""
    return strong_etag(answer) or answer.header("Last-Modified")


def stated_length(answer: Answer) -> int | None:
    """Read Content-Length as a number of bytes; None where it is missing or none."""
    text = answer.header("Content-Length")
    return int(text) if _LENGTH.fullmatch(text) else None


def modified_at(answer: Answer) -> datetime | None:
    """Read Last-Modified; None where it is missing or no date."""
    with contextlib.suppress(ValueError, OverflowError):
        return parsedate_to_datetime(answer.header("Last-Modified")).astimezone(UTC)
    return None


def _check_kind(reference: UrlReference, answer: Answer) -> None:
    kind = answer.header("Content-Type").partition(";")[0].strip().lower()
    if kind in _PAGES:
        remedy = "correct the reference; what it names now may be a log-in page or a proxy's error"
        raise SourceRefusedError(reference.shown, f"it is answered by a web page ({kind})", remedy)
    encoding = answer.header("Content-Encoding").lower()
    if encoding not in {"", "identity"}:
        remedy = "let the server send the file as it is"
        raise SourceRefusedError(reference.shown, f"it is sent in another encoding ({encoding})", remedy)


def _retry_after(answer: Answer) -> float:
    """Read Retry-After (RFC 9110, 10.2.3: seconds or a date); 0 for none."""
    asked = answer.header("Retry-After")
    with contextlib.suppress(ValueError):
        seconds = float(asked)
        return seconds if seconds > 0 else 0.0
    with contextlib.suppress(ValueError, OverflowError):
        return max(0.0, (parsedate_to_datetime(asked).astimezone(UTC) - datetime.now(UTC)).total_seconds())
    return 0.0
