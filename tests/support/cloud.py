# SPDX-License-Identifier: Apache-2.0
"""What the functional tests do to the sandbox besides what they test: images, users' connections, ini files."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml
from openstack import connection

if TYPE_CHECKING:
    from pathlib import Path

    from amphora_image.sandbox import Access


class Cloud:
    """The sandbox as its users see it; ``folder`` takes the ini files."""

    def __init__(self, access: Access, folder: Path) -> None:
        self.access = access
        self.folder = folder
        self._clouds = yaml.safe_load(access.clouds())["clouds"]

    @cached_property
    def octavia(self) -> Any:
        return self.connect("octavia")

    @cached_property
    def demo(self) -> Any:
        return self.connect("demo")

    @cached_property
    def admin(self) -> Any:
        return self.connect("admin")

    def connect(self, user: str) -> Any:
        entry = self._clouds[user]
        return connection.Connection(auth=entry["auth"], region_name=entry["region_name"], auth_type="password")

    def upload(self, name: str, *tags: str, by: Any = None, visibility: str = "private", **properties: Any) -> str:
        """Upload 1 KiB of noise as a raw image with ``tags`` and give its id."""
        images = (by or self.octavia).image
        body = {"name": name, "disk_format": "raw", "container_format": "bare", "tags": tags, "visibility": visibility}
        answer = images.post("/images", json={**body, **properties})
        assert answer.status_code == 201, answer.text
        image_id = answer.json()["id"]
        headers = {"Content-Type": "application/octet-stream"}
        answer = images.put(f"/images/{image_id}/file", data=os.urandom(1024), headers=headers)
        assert answer.status_code == 204, answer.text
        return str(image_id)

    def queued(self, name: str, *tags: str) -> str:
        """Make an image without bytes."""
        body = {"name": name, "disk_format": "raw", "container_format": "bare", "tags": tags}
        return str(self.octavia.image.post("/images", json=body).json()["id"])

    def ini(self, name: str = "x.ini", user: str = "octavia", **options: str) -> Path:
        """Write a worker's ini; ``options`` are ``group__name=value``, None takes an option away."""
        import configparser

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
        path = self.folder / name
        with path.open("w") as out:
            parser.write(out)
        return path
