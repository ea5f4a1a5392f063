# SPDX-License-Identifier: Apache-2.0
"""The trial: an image boots in QEMU and shows that it does what an amphora has to."""

from amphora_image.build.trial.report import Step, write_junit
from amphora_image.build.trial.trial import Limits, Trial, prepare

__all__ = ["Limits", "Step", "Trial", "prepare", "write_junit"]
