# SPDX-License-Identifier: Apache-2.0
export DISTRO_NAME=debian
export DIB_INIT_SYSTEM=systemd
export DIB_RELEASE=${DIB_RELEASE:-trixie}
export EFI_BOOT_DIR=EFI/debian
export DIB_DISTRIBUTION_MIRROR=${DIB_DEBIAN_DISTRIBUTION_MIRROR:-${DIB_DISTRIBUTION_MIRROR:-}}
# Security updates are beside the packages, under their own name: debian-security, with the same date where there is one.
_mirror=${DIB_DISTRIBUTION_MIRROR%/}
[[ $_mirror =~ /[0-9]{8}T[0-9]{6}Z$ ]] && _date=${BASH_REMATCH[0]} || _date=''
export DIB_DEBIAN_SECURITY_MIRROR=${DIB_DEBIAN_SECURITY_MIRROR:-${_mirror%"$_date"}-security$_date}
unset _mirror _date
export DIB_DEBIAN_COMPONENTS=${DIB_DEBIAN_COMPONENTS:-main}
export DIB_DEBIAN_KERNEL=${DIB_DEBIAN_KERNEL:-cloud}
