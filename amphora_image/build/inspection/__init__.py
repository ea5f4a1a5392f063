# SPDX-License-Identifier: Apache-2.0
"""What is in a disk image, read from its bytes: nothing is mounted, run or booted."""
