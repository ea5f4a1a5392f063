# SPDX-License-Identifier: Apache-2.0
"""Bytes in memory that are read like a file."""

from amphora_image.build.inspection.structure import DamagedError


class Bytes:
    """What can be read at any place."""

    def __init__(self, content):
        self._content = content
        self.size = self.allocated = len(content)

    def read(self, offset, size):
        if offset < 0 or size < 0 or offset + size > self.size:
            raise DamagedError(f"the fake has no byte {offset + size}, only {self.size}")
        return bytes(self._content[offset : offset + size])
