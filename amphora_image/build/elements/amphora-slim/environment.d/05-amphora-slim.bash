# SPDX-License-Identifier: Apache-2.0
# An amphora needs no iSCSI client.
export DIB_SKIP_BASE_PACKAGE_INSTALL=${DIB_SKIP_BASE_PACKAGE_INSTALL:-1}
