# SPDX-License-Identifier: Apache-2.0
"""The schema's history, for alembic; its version stands in a table of its own.

Each revision says its ``phase``: ``expand`` adds what the next release needs and the one before does not notice,
``contract`` removes what only the one before needed.
"""
