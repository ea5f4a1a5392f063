# SPDX-License-Identifier: Apache-2.0
# The first CPU serves interrupts and the system, the others HAProxy alone; a machine with one ignores this.
export DIB_BOOTLOADER_DEFAULT_CMDLINE="${DIB_BOOTLOADER_DEFAULT_CMDLINE:-} irqaffinity=0 isolcpus=1-N nohz=on nohz_full=1-N"
