# SPDX-License-Identifier: Apache-2.0
"""Into Glance: import, verify, and move a tag to an image without ever leaving it empty."""
