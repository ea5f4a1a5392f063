# SPDX-License-Identifier: Apache-2.0
"""The seam to the other services: the only place that imports their client libraries."""
