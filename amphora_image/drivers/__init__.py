# SPDX-License-Identifier: Apache-2.0
"""Compute drivers: what a controller worker loads by stevedore from ``amphora_image.compute_drivers``."""
