# SPDX-License-Identifier: Apache-2.0
"""Foreign errors become ours on the line that meets them, and what is worth another try is tried again."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity
from keystoneauth1 import exceptions as ksa

from amphora_image.errors import (
    AccessDeniedError,
    AmphoraImageError,
    AuthenticationError,
    ConfigurationError,
    QuotaExceededError,
    RequestRefusedError,
    ResourceNotFoundError,
    RetryableError,
    ServiceUnavailableError,
)
from amphora_image.trail import note_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: Statuses after which the same GET may well be answered: time-out, too many requests, and any fault of the server.
_TRANSIENT = {408, 413, 429}


#: What the client libraries raise; the plain ones are their stumbling over an answer of another shape.
_FOREIGN = (ksa.ClientException, OSError, ValueError, TypeError, KeyError, AttributeError)


@contextlib.contextmanager
def translated(service: str, action: str) -> Iterator[None]:
    """Raise our error for whatever the client library raises inside, keeping the cause.

    ``action`` completes "Glance does not allow this user to …".

    :raises AmphoraImageError: the one that says what to do.
    """
    try:
        yield
    except _FOREIGN as error:
        raise _ours(service, action, error) from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        # keystoneauth's way to say that an auth plug-in lacks something, a password for example.
        remedy = "complete [service_auth], the cloud's entry in clouds.yaml, or the OS_* variables"
        raise ConfigurationError(f"the credentials are incomplete: {error}", remedy) from error


def retried(
    call: Callable[[], T],
    *,
    deadline_seconds: float,
    only: type[RetryableError] = RetryableError,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Call again what fails with a :class:`RetryableError`, or ``only`` with one of its kinds, within the deadline.

    The pause is what Retry-After asks for, else a random one that grows from a quarter of a second to eight.

    :raises RetryableError: the last one, once the next pause would pass the deadline.
    """
    began = time.monotonic()
    try:
        return call()  # before tenacity is set up, which costs more than what is called may do
    except only as error:
        failures = [error]
    backoff = tenacity.wait_random_exponential(multiplier=0.25, max=8)

    def again() -> T:
        if failures:
            raise failures.pop()
        return call()

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(_retry_after(error), backoff(state))

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(only),
        stop=tenacity.stop_before_delay(deadline_seconds - (time.monotonic() - began)),
        wait=pause,
        sleep=sleep,
        before_sleep=_tell,
        reraise=True,
    )(again)


def _tell(state: tenacity.RetryCallState) -> None:
    """Note a retry, and say that one is coming: nobody shall wait for a minute and not know for what."""
    note_retry()
    error, pause = (
        state.outcome.exception() if state.outcome else None,
        state.next_action.sleep if state.next_action else 0,
    )
    LOG.info("%s (again in %.1f s)", error, pause)


def _ours(service: str, action: str, error: Exception) -> AmphoraImageError:
    """Choose our error for a foreign one."""
    match error:
        case ksa.HttpError():
            return from_status(service, action, error)
        case ksa.AuthorizationFailure() | ksa.AuthPluginException():
            return AuthenticationError("Keystone", _detail(error))
        case ksa.CatalogException():
            return _no_endpoint(service, error)
        case ksa.ClientException():
            return _from_connection(service, error)
    return _from_stumbling(service, error)


def _from_stumbling(service: str, error: Exception) -> AmphoraImageError:
    """Choose our error where a library failed by an error of Python's own."""
    if service == "Keystone" and isinstance(error, ValueError) and "URL" in str(error):
        return _no_keystone(str(error))
    if isinstance(error, OSError) and not isinstance(error, ValueError):
        problem = f"a file that TLS needs cannot be used: {error}"
        return ConfigurationError(problem, "correct cafile, certfile and keyfile in [service_auth]")
    # An answer that is no JSON, or JSON of another shape: a proxy's page, mostly.
    return ServiceUnavailableError(service, "its answer is not in the format of the API")


def _from_connection(service: str, error: Exception) -> AmphoraImageError:
    """Choose our error where no answer came, or none that can be read."""
    culprit = "Keystone" if isinstance(error, ksa.DiscoveryFailure) else _culprit(service, str(error))
    if isinstance(error, ksa.SSLError):
        return ConfigurationError(
            f"the TLS certificate of {culprit} is not trusted: {error}",
            "set cafile in [service_auth], ca_certificates_file in the service's group, or http:// where there is no TLS",
        )
    if isinstance(error, ksa.DiscoveryFailure) and "HTTP 404" in str(error):
        return _no_keystone(str(error))
    if isinstance(getattr(error, "original", None), ValueError):  # requests: nothing can be sent to such a URL
        if culprit == "Keystone":
            return _no_keystone(str(error))
        return ConfigurationError(
            f"the address of {culprit} is no URL: {error}", f"correct endpoint in [{service.lower()}]"
        )
    return ServiceUnavailableError(culprit, _connection_fault(error))


def _no_endpoint(service: str, error: Exception) -> ConfigurationError:
    if service == "Keystone":
        return _no_keystone(str(error))
    return ConfigurationError(
        f"the Keystone catalogue has no endpoint of {service}: {error}",
        f"set region_name, endpoint_type or endpoint in [{service.lower()}], or region_name of the cloud",
    )


def _no_keystone(detail: str) -> ConfigurationError:
    remedy = "correct auth_url in [service_auth] or in the cloud's entry in clouds.yaml"
    return ConfigurationError(f"there is no Keystone at the address that is given for it: {detail}", remedy)


def from_status(service: str, action: str, error: Any) -> AmphoraImageError:
    """Choose our error for an HTTP status of 400 or above, which a client library's ``error`` tells of."""
    status = int(getattr(error, "http_status", 0) or getattr(error, "code", 0) or 0)
    service, detail = _culprit(service, getattr(error, "url", None) or ""), _detail(error)
    if status == 401:
        return AuthenticationError(service, detail)
    if status in {403, 413} and re.search(r"quota|limit has been exceeded", detail, re.IGNORECASE):
        return QuotaExceededError(service, detail)
    if status == 404:
        return _from_not_found(service, action, detail)
    if status == 403 and "limit" not in detail and "ersonality" not in detail:
        return AccessDeniedError(service, action, detail)
    if status in _TRANSIENT or status >= 500:
        return ServiceUnavailableError(service, f"HTTP {status} {detail}")
    return RequestRefusedError(service, action, f"HTTP {status} {detail}")


def _from_not_found(service: str, action: str, detail: str) -> AmphoraImageError:
    """Choose our error for a 404, which from Keystone means the credentials or its address."""
    if service != "Keystone":
        return ResourceNotFoundError(f"what {service} was asked for (to {action})", f"(HTTP 404 {detail})")
    if "token" in detail:  # "Could not recognize Fernet token"
        return AuthenticationError(service, detail)
    return _no_keystone(detail)


def _culprit(service: str, text: str) -> str:
    """Name Keystone where the request that failed was the one for a token."""
    return "Keystone" if "/auth/tokens" in text else service


def _detail(error: Any) -> str:
    """Take the sentence out of a foreign error, without a proxy's HTML page, and the request's id for the logs."""
    response = getattr(error, "response", None)
    text = str(getattr(error, "message", None) or error)
    if response is not None and response.headers.get("Content-Type", "").startswith("application/json"):
        with contextlib.suppress(ValueError):
            text = _message_in(response.json()) or text
    # Nova repeats a value that it refuses, and user data may hold keys.
    told, request_id = re.split(r"<| Value: ", text)[0].strip()[:500], getattr(error, "request_id", None)
    return f"{told} ({request_id})" if request_id else told


def _connection_fault(error: Exception) -> str:
    """Say where the connection was to go and why it failed, without urllib3's own names for all that it tried."""
    told = str(error)
    reason = re.search(
        r"\[Errno [^\]]*\] [\w ]+|Failed to resolve [^)\"]*|[Tt]imed out[^)\"]*|RemoteDisconnected|reset by peer", told
    )
    place = re.split(r": (?:HTTPS?Connection|\()", told)[0].partition("?")[0]
    return f"{place} ({reason.group()})" if reason and reason.group() not in place else place


def _message_in(body: Any) -> str:
    """Find the message in ``{"error": {"message": …}}`` (Keystone) or ``{"message": …}`` (Glance)."""
    while isinstance(body, dict):
        inner = body.get("error") or body.get("message")
        if isinstance(inner, str):
            return inner
        body = inner
    return ""


def _retry_after(error: BaseException | None) -> float:
    """Read Retry-After (RFC 9110, 10.2.3: seconds or a date) from the foreign error behind ``error``; 0 for none."""
    cause = getattr(error, "__cause__", None)
    headers = getattr(getattr(cause, "response", None), "headers", None) or {}
    asked = str(headers.get("Retry-After") or getattr(cause, "retry_after", None) or 0)
    with contextlib.suppress(ValueError):
        return max(0.0, float(asked))
    with contextlib.suppress(ValueError):
        return max(0.0, (parsedate_to_datetime(asked).astimezone(UTC) - datetime.now(UTC)).total_seconds())
    return 0.0
