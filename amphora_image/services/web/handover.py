# SPDX-License-Identifier: Apache-2.0
"""Whether another service may be asked to read from a web server in our place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amphora_image.config.web import WebRules
from amphora_image.errors import SourceForbiddenError
from amphora_image.services.web.addresses import objection
from amphora_image.services.web.credentials import headers_for
from amphora_image.services.web.wire import Net, addresses_of, forbidden, port_of

if TYPE_CHECKING:
    from oslo_config import cfg

    from amphora_image.reference import UrlReference


def check_handover(reference: UrlReference, conf: cfg.ConfigOpts, net: Net | None = None) -> None:
    """Apply ``[image_http]`` to what another service shall fetch.

    That service looks the host up itself and takes any of its addresses, so that each has to be allowed, not only one.
    What redirects it follows cannot be judged from here.

    :raises SourceForbiddenError: an address, or the port, is not allowed; or the host wants credentials of ours.
    :raises SourceNotFoundError: there is no such host.
    :raises SourceUnavailableError: nobody can tell just now.
    :raises ConfigurationError: a file with credentials cannot be used.
    """
    rules = WebRules.of(conf)
    found = addresses_of(reference, port_of(reference, rules), net or Net())
    objections = [told for *_, address in found if (told := objection(address[0], rules))]
    if objections:
        raise forbidden(reference, dict.fromkeys(objections))
    if headers_for(reference, rules):
        detail = "its host wants credentials, which are given to nobody else"
        raise SourceForbiddenError(reference.shown, detail, "leave --method out: it is read here then")
