# SPDX-License-Identifier: Apache-2.0
# The one for virtual machines; the element ubuntu-minimal would take the one for all hardware.
export DIB_UBUNTU_KERNEL=${DIB_UBUNTU_KERNEL:-linux-image-virtual}
