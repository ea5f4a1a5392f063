# SPDX-License-Identifier: Apache-2.0
"""The disk image that amphorae boot from: how it is made, and what is in it."""
