# SPDX-License-Identifier: Apache-2.0
"""Many users of one machine who fetch one image at once: ``fetchers.py INI REFERENCE FOLDER PROCESSES``.

Each is a process of its own that runs ``amphora-image fetch`` into a file of its own in FOLDER. Ends with 0 if each did.
"""

from __future__ import annotations

import os
import sys

# Loaded once for all of them, before they part.
import amphora_image.cli.fetch
import amphora_image.cli.sources
import amphora_image.services.cache
import amphora_image.services.fetch
import amphora_image.services.http
import amphora_image.services.registry  # noqa: F401
from amphora_image.cli.main import main


def fetching(ini: str, reference: str, destination: str) -> int:
    """Run the command in a process of its own, and give its number."""
    child = os.fork()
    if not child:
        os._exit(main(["--config-file", ini, "--quiet", "fetch", reference, destination]))
    return child


if __name__ == "__main__":
    INI, REFERENCE, FOLDER, PROCESSES = sys.argv[1:]
    os.nice(19)  # other tests run beside
    children = [fetching(INI, REFERENCE, f"{FOLDER}/{number}") for number in range(int(PROCESSES))]
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
