# SPDX-License-Identifier: Apache-2.0
"""How long hypothesis tries: in `make fuzz` a round has more examples, and the session goes round and round."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz", max_examples=1000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
