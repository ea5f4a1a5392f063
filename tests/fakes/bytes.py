# SPDX-License-Identifier: Apache-2.0
"""Bytes in memory that are read like a file."""

from amphora_image.build.inspection.structure import DamagedError


class Bytes:
    """What can be read, and how much of it was."""

    def __init__(self, content):
        self._content = content
        self.size = self.allocated = len(content)
        self.taken = 0

    def read(self, offset, size):
        if offset < 0 or size < 0 or offset + size > self.size:
            raise DamagedError(f"it is truncated: {offset + size} of {self.size}")
        self.taken += size
        return bytes(self._content[offset : offset + size])
