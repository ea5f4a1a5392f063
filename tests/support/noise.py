# SPDX-License-Identifier: Apache-2.0
"""Random bytes for images that are of no known format."""

import os

_SECTOR = 512


def noise(size: int) -> bytes:
    """Give ``size`` random bytes, the first sector of which is empty.

    One random sector in 65,536 ends as a boot record does, and Glance refuses the image then.
    """
    return bytes(min(size, _SECTOR)) + os.urandom(max(size - _SECTOR, 0))
