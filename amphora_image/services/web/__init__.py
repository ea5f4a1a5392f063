# SPDX-License-Identifier: Apache-2.0
"""The parts of reading from web servers: the rule on addresses, connections, credentials, requests, ranges."""
