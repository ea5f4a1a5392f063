# SPDX-License-Identifier: Apache-2.0
"""The command ``amphora-image``: one file a command, its heavy imports inside ``take_action``."""
