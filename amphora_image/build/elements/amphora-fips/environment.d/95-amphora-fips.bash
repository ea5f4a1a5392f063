# SPDX-License-Identifier: Apache-2.0
case "$DISTRO_NAME" in
    ubuntu | debian)
        echo "amphora-fips: $DISTRO_NAME has no FIPS mode that can be built here" >&2
        exit 1
        ;;
esac
export DIB_BOOTLOADER_DEFAULT_CMDLINE="${DIB_BOOTLOADER_DEFAULT_CMDLINE:-} fips=1"
export DIB_DRACUT_ENABLED_MODULES="${DIB_DRACUT_ENABLED_MODULES:-}
- name: fips
"
