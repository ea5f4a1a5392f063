# SPDX-License-Identifier: Apache-2.0
"""The builder: diskimage-builder makes the root file system, and the assembly a disk of it."""

from amphora_image.build.builder.build import build
from amphora_image.build.builder.request import TYPES, Request

__all__ = ["TYPES", "Request", "build"]
