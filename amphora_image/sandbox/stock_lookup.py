# SPDX-License-Identifier: Apache-2.0
"""Octavia's own look-up of an image by tag: ``python -m amphora_image.sandbox.stock_lookup --config-file INI TAG [OWNER]``.

Prints the id of the image that an unchanged Octavia with that configuration would boot. With an empty owner that may be
any project's image, which is what the demo shows with it.
"""

from __future__ import annotations

import argparse
import sys

from octavia.common import config
from octavia.image.drivers.glance_driver import ImageManager


def main(arguments: list[str] | None = None) -> int:
    """Print the image's id alone, and give the exit status.

    :raises octavia.common.exceptions.ImageGetException: no image has the tag.
    """
    parser = argparse.ArgumentParser(description="the image that stock Octavia would boot for a tag")
    parser.add_argument("--config-file", required=True, metavar="INI", help="with [service_auth] and [glance]")
    parser.add_argument("tag", metavar="TAG")
    parser.add_argument("owner", metavar="OWNER", nargs="?", help="amp_image_owner_id (default: as in Octavia, empty)")
    parsed = parser.parse_args(arguments)
    config.init(["--config-file", parsed.config_file])
    image_id = ImageManager().get_image_id_by_tag(parsed.tag, parsed.owner)
    sys.stdout.write(f"{image_id}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
