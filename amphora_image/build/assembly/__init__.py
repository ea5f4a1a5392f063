# SPDX-License-Identifier: Apache-2.0
"""Assembly: a root file system becomes a disk that boots by BIOS and UEFI, in user space.

No loop device, no device-mapper, no mount, no partition parser: each part is made by its own program in a file, at its
place. So it works in a container, too.
"""

from amphora_image.build.assembly.assemble import ARCHITECTURES, FORMATS, Disk, assemble, programs_for

__all__ = ["ARCHITECTURES", "FORMATS", "Disk", "assemble", "programs_for"]
