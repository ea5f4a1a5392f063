# SPDX-License-Identifier: Apache-2.0
"""Errors of what this machine itself has to say or to keep of an image."""

from __future__ import annotations

from amphora_image.errors.base import ConfigurationError


class MissingPropertyError(ConfigurationError):
    """What has to be known of an image is said nowhere: only Glance knows it by itself. ``key`` names it."""

    def __init__(self, key: str, image: str) -> None:
        self.key = key
        super().__init__(
            f"nothing says the {key} of {image}",
            f"write {key} into a side file (the image's name with .yaml after it) or into [amphora_image] image_properties",
        )
