# SPDX-License-Identifier: Apache-2.0
"""Who calls, and what that allows: read from what keystonemiddleware validated and Glance's ``context`` filter kept.

keystonemiddleware takes away whatever a client sends in these headers, so that they are as true as the tokens. Without
Glance's context, the filter stands in the wrong place of the pipeline, and nobody may write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amphora_image.relation.wire import Environ

_SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose token a request bears, and whose service token, if a valid one; users as NAME@DOMAIN."""

    is_admin: bool
    roles: frozenset[str]
    user: str
    service_roles: frozenset[str]
    service_user: str

    @classmethod
    def of(cls, environ: Environ) -> Caller:
        """Read who calls."""
        context: Any = environ.get("webob.adhoc_attrs", {}).get("context")
        confirmed = environ.get("HTTP_X_SERVICE_IDENTITY_STATUS") == "Confirmed"
        service_roles = environ.get("HTTP_X_SERVICE_ROLES", "") if confirmed and context is not None else ""
        return cls(
            is_admin=bool(getattr(context, "is_admin", False)),
            roles=frozenset(role.lower() for role in getattr(context, "roles", None) or ()),
            user=_user(environ, "HTTP_X"),
            service_roles=frozenset(role.strip().lower() for role in service_roles.split(",")),
            service_user=_user(environ, "HTTP_X_SERVICE"),
        )

    @property
    def may_name_relations(self) -> bool:
        """Whether relations may stand among the properties of an image.

        A service token beside a user's does not suffice: Nova hands on properties that the user wrote (createImage's
        metadata), and puts its service token beside them.
        """
        return self.is_admin or _SERVICE in self.roles

    @property
    def may_write(self) -> bool:
        """Whether ``/relations`` itself may be written: no service goes there on behalf of a user who asked it to."""
        return self.may_name_relations or _SERVICE in self.service_roles

    def installation(self, installations: Mapping[str, str]) -> str | None:
        """Give the installation of the Nova that calls, None for any other caller."""
        if _SERVICE in self.service_roles and self.service_user in installations:
            return installations[self.service_user]
        return installations.get(self.user) if self.may_name_relations else None


def _user(environ: Environ, prefix: str) -> str:
    return f"{environ.get(f'{prefix}_USER_NAME', '')}@{environ.get(f'{prefix}_USER_DOMAIN_NAME', '')}"
