# SPDX-License-Identifier: Apache-2.0
"""Which instance belongs to which image: a table of its own, a filter for Glance that keeps it, and who asks it."""
