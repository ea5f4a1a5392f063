# SPDX-License-Identifier: Apache-2.0
import pytest
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from support.image_server import Fault, serving_image

from amphora_image.clients.image_data import ImageData
from amphora_image.errors import AccessDeniedError, ResourceNotFoundError, ServiceUnavailableError

CONTENT = b"an image" * 200_000


@pytest.fixture
def web():
    with serving_image(CONTENT) as server:
        yield server


@pytest.fixture
def read(web):
    def call(deadline_seconds=5.0):
        session = Session(auth=Token(web.url.removesuffix("/amphora.img"), "canary-token"))
        data = ImageData(Adapter(session, service_type="image"), deadline_seconds=deadline_seconds)
        with data.opened("i1") as blocks:
            return b"".join(blocks)

    return call


def test_the_bytes_are_streamed(web, read):
    assert read() == CONTENT
    ((method, path, headers),) = web.asked
    assert (method, path) == ("GET", "/v2/images/i1/file")
    assert (headers["x-auth-token"], headers["accept-encoding"]) == ("canary-token", "identity")


def test_what_passes_before_the_first_byte_is_tried_again(web, read):
    web.faults = [Fault(status=503, headers={"Retry-After": "0"}, body=b"later")]
    assert read() == CONTENT
    assert len(web.asked) == 2


@pytest.mark.parametrize(("status", "error"), [(404, ResourceNotFoundError), (403, AccessDeniedError)])
def test_a_refusal_is_told(web, read, status, error):
    web.every = Fault(status=status, body=b"no")
    with pytest.raises(error):
        read()


@pytest.mark.parametrize("reset", [True, False])
def test_a_stream_that_breaks_off_is_told(web, read, reset):
    web.every = Fault(cut_after=1_500_000, reset=reset)
    with pytest.raises(ServiceUnavailableError, match="it broke off in the middle of an image") as caught:
        read()
    assert "canary" not in str(caught.value)


def test_a_stream_that_stalls_is_told(web, read):
    web.every = Fault(cut_after=1000, hold_seconds=30)
    with pytest.raises(ServiceUnavailableError, match="broke off"):
        read(deadline_seconds=0.6)
