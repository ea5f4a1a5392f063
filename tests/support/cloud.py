# SPDX-License-Identifier: Apache-2.0
"""What the functional tests do to the sandbox besides what they test: images, users' connections, ini files."""

from __future__ import annotations

import configparser
import time
import uuid
from typing import TYPE_CHECKING, Any

import yaml
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session
from support.noise import noise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from amphora_image.sandbox import Access


class User:
    """One user's requests: ``image``, ``network`` and ``compute`` take what follows the endpoint in the catalogue."""

    def __init__(self, entry: dict[str, Any]) -> None:
        session = Session(auth=Password(**entry["auth"]), timeout=60)
        at = {"region_name": entry["region_name"], "interface": "public", "raise_exc": False}
        self.image = Adapter(session, service_type="image", **at)
        self.network = Adapter(session, service_type="network", **at)
        self.compute = Adapter(session, service_type="compute", **at)
        self.session = session

    @property
    def project_id(self) -> str:
        return str(self.session.get_project_id())


class Users:
    """One :class:`User` for each name, made when it is first asked for."""

    def __init__(self, access: Access) -> None:
        self._clouds = yaml.safe_load(access.clouds())["clouds"]
        self._made: dict[str, User] = {}

    def __call__(self, name: str) -> User:
        if name not in self._made:
            self._made[name] = User(self._clouds[name])
        return self._made[name]


class Cloud:
    """The sandbox as its users see it; ``folder`` takes the ini files, ``users`` are shared by all tests."""

    def __init__(self, access: Access, folder: Path, users: Users | None = None) -> None:
        self.access = access
        self.folder = folder
        self._users = users or Users(access)
        self._made: list[tuple[Adapter, str]] = []
        self._youngest = 0.0

    @property
    def octavia(self) -> User:
        """The service whose amphorae are booted; it is an admin, as Octavia's user is."""
        return self._users("octavia")

    @property
    def demo(self) -> User:
        """A stranger: a member of a project of his own."""
        return self._users("demo")

    @property
    def admin(self) -> User:
        return self._users("admin")

    @property
    def secrets(self) -> list[str]:
        """Every password that a user of the cloud has."""
        return list(self.access.passwords.values())

    @property
    def trusted(self) -> str:
        """The project whose images an amphora may boot from."""
        return self.access.projects["service"]

    @property
    def foreign(self) -> str:
        """The stranger's project."""
        return self.access.projects["demo"]

    def upload(
        self, name: str, *tags: str, by: User | None = None, visibility: str = "private", **properties: Any
    ) -> str:
        """Upload 1 KiB of noise as a raw image with ``tags`` and give its id."""
        image_id = self.queued(name, *tags, by=by, visibility=visibility, **properties)
        headers = {"Content-Type": "application/octet-stream"}
        answer = (by or self.octavia).image.put(f"/v2/images/{image_id}/file", data=noise(1024), headers=headers)
        assert answer.status_code == 204, answer.text
        return image_id

    def newer(self, name: str, *tags: str, **properties: Any) -> str:
        """Upload an image whose age differs from the one before it: Glance tells ages in whole seconds."""
        until(lambda: time.time() >= self._youngest + 1, seconds=5, what="the clock's next second")
        return self.upload(name, *tags, **properties)

    def queued(
        self, name: str, *tags: str, by: User | None = None, visibility: str = "private", **properties: Any
    ) -> str:
        """Make an image without bytes."""
        images = (by or self.octavia).image
        body = {"name": name, "disk_format": "raw", "container_format": "bare", "tags": tags, "visibility": visibility}
        answer = images.post("/v2/images", json={**body, **properties})
        assert answer.status_code == 201, answer.text
        self._youngest = float(int(time.time()))
        image_id = str(answer.json()["id"])
        self._made.append((images, f"/v2/images/{image_id}"))
        return image_id

    def tag(self, image_id: str, tag: str) -> None:
        self.octavia.image.put(f"/v2/images/{image_id}/tags/{tag}").raise_for_status()

    def untag(self, image_id: str, tag: str, by: User | None = None) -> None:
        (by or self.octavia).image.delete(f"/v2/images/{image_id}/tags/{tag}").raise_for_status()

    def hide(self, image_id: str) -> None:
        patch = [{"op": "replace", "path": "/os_hidden", "value": True}]
        headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        self.octavia.image.patch(f"/v2/images/{image_id}", json=patch, headers=headers).raise_for_status()

    def unprotect(self, *image_ids: str) -> None:
        """Let images be deleted that promotion has protected."""
        patch = [{"op": "replace", "path": "/protected", "value": False}]
        headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        for image_id in image_ids:
            self.octavia.image.patch(f"/v2/images/{image_id}", json=patch, headers=headers).raise_for_status()

    def deactivate(self, image_id: str) -> None:
        self.octavia.image.post(f"/v2/images/{image_id}/actions/deactivate").raise_for_status()

    def share(self, image_id: str, *, by: User, to: User) -> None:
        """Share an image with the project of ``to``, who accepts it."""
        member = to.project_id
        by.image.post(f"/v2/images/{image_id}/members", json={"member": member}).raise_for_status()
        to.image.put(f"/v2/images/{image_id}/members/{member}", json={"status": "accepted"}).raise_for_status()

    def port(self) -> str:
        """Make a port on the amphorae's network and give its id."""
        body = {"port": {"network_id": self.access.network_id}}
        answer = self.octavia.network.post("/v2.0/ports", json=body)
        assert answer.status_code == 201, answer.text
        port_id = str(answer.json()["port"]["id"])
        self._made.append((self.octavia.network, f"/v2.0/ports/{port_id}"))
        return port_id

    def network(self, by: User) -> str:
        """Make a network with a subnet, of a user's own, and give its id."""
        network = by.network.post("/v2.0/networks", json={"network": {"name": self.named("network")}})
        assert network.status_code == 201, network.text
        network_id = str(network.json()["network"]["id"])
        self._made.append((by.network, f"/v2.0/networks/{network_id}"))
        subnet = {"network_id": network_id, "cidr": "192.0.2.0/24", "ip_version": 4, "enable_dhcp": False}
        by.network.post("/v2.0/subnets", json={"subnet": subnet}).raise_for_status()
        return network_id

    def security_group(self) -> str:
        """Make a security group and give its id."""
        answer = self.octavia.network.post(
            "/v2.0/security-groups", json={"security_group": {"name": self.named("group")}}
        )
        assert answer.status_code == 201, answer.text
        group_id = str(answer.json()["security_group"]["id"])
        self._made.append((self.octavia.network, f"/v2.0/security-groups/{group_id}"))
        return group_id

    def named(self, kind: str) -> str:
        """Give a name that nothing else has."""
        return f"{kind}-{uuid.uuid4().hex[:8]}"

    def delete_all(self) -> None:
        """Delete what this object made; what is gone already is no matter."""
        for service, path in self._made:
            service.delete(path)
        self._made.clear()

    def ini(self, user: str = "octavia", **options: str | None) -> Path:
        """Write a worker's ini; ``options`` are ``group__name=value``, None takes an option away."""
        parser = configparser.RawConfigParser()
        parser.read_string(self.access.ini(user))
        for key, value in options.items():
            group, _, option = key.partition("__")
            if not parser.has_section(group):
                parser.add_section(group)
            if value is None:
                parser.remove_option(group, option)
            else:
                parser.set(group, option, value)
        path = self.folder / f"{uuid.uuid4().hex[:8]}.ini"
        path.touch(mode=0o600)
        with path.open("w", encoding="utf-8") as out:
            parser.write(out)
        return path


def until(holds: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """Give what ``holds`` answers once that is true; fail when it is not within ``seconds``.

    The pauses grow, since services that are asked all the time have none left for what is waited for.
    """
    end, pause = time.monotonic() + seconds, 0.02
    while not (answer := holds()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
    return answer
