# SPDX-License-Identifier: Apache-2.0
"""What an operator asks of an image, written in YAML, and which of it an image does not keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from amphora_image.build.inspection.rules import RULES, Rule, WrongError
from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from amphora_image.build.inspection.report import Inspection

_LARGEST_BYTES = 1 << 20


class Policy:
    """Rules, each with what it asks for."""

    def __init__(self, asked: list[tuple[Rule, Any]]) -> None:
        self._asked = asked

    def violations(self, found: Inspection) -> tuple[str, ...]:
        """Say, a line each, what the image does not keep; nothing when it keeps all."""
        return tuple(f"{rule.name}: {line}" for rule, wanted in self._asked for line in rule.broken(found, wanted))


def read_policy(path: Path) -> Policy:
    """Read a policy.

    :raises ConfigurationError: the file cannot be read, is no YAML, or asks for what there is no rule for; all at once.
    """
    remedy = "give the path of a YAML file of rules"
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_BYTES)
        content = yaml.safe_load(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}", remedy) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is no YAML: {error}", remedy) from error
    if not isinstance(content, dict) or not content:
        raise ConfigurationError(f"{path} has no rules", "write at least one, `password_login: false` for example")
    asked, wrong = [], []
    for name, value in content.items():
        rule = RULES.get(name)
        if rule is None:
            wrong.append(f"{name!r} is no rule")
            continue
        try:
            asked.append((rule, rule.parse(value)))
        except WrongError as error:
            wrong.append(f"{name}: {error}")
    if wrong:
        raise ConfigurationError(f"{path}: {', and '.join(wrong)}", f"the rules are {', '.join(RULES)}")
    return Policy(asked)
