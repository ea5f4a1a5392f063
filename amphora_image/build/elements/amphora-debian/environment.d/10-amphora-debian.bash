# SPDX-License-Identifier: Apache-2.0
export DISTRO_NAME=debian
export DIB_INIT_SYSTEM=systemd
export DIB_RELEASE=${DIB_RELEASE:-trixie}
export EFI_BOOT_DIR=EFI/debian
export DIB_DISTRIBUTION_MIRROR=${DIB_DEBIAN_DISTRIBUTION_MIRROR:-${DIB_DISTRIBUTION_MIRROR:-http://deb.debian.org/debian}}
export DIB_DEBIAN_SECURITY_MIRROR=${DIB_DEBIAN_SECURITY_MIRROR:-http://security.debian.org/debian-security}
export DIB_DEBIAN_COMPONENTS=${DIB_DEBIAN_COMPONENTS:-main}
export DIB_DEBIAN_KERNEL=${DIB_DEBIAN_KERNEL:-cloud}
