# SPDX-License-Identifier: Apache-2.0
"""What would go wrong, told before the first build: each check gives findings, and each finding its remedy."""
