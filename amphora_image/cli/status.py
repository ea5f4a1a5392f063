# SPDX-License-Identifier: Apache-2.0
"""The command ``amphora-image-status``: the checks of ``amphora-image check`` in the form that deployment tools run."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from oslo_config import cfg
from oslo_upgradecheck import upgradecheck

from amphora_image.config import check_values, explained, register_opts
from amphora_image.drivers.runtime import Runtime
from amphora_image.errors import AmphoraImageError
from amphora_image.preflight.finding import Finding
from amphora_image.preflight.open import open_preflight, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_DEADLINE_SECONDS = 15
_DESCRIPTION = "Tell before a switch or an upgrade what would go wrong with the image that amphorae boot from."
_USAGE = "amphora-image-status [--config-file FILE]… [--config-dir DIR]… upgrade check [--json]"
_EPILOG = (
    "exit codes: 0 all is well; 1 warnings; 2 builds would fail, or the configuration cannot be read; 255 a defect. "
    "`amphora-image check` tells the same in a table, with more options."
)


class Checks(upgradecheck.UpgradeCommands):
    """The findings as upgrade checks; they are looked for when the list is read, since there may be any number."""

    display_title = "amphora-image: Upgrade Check Results"

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf

    @property
    def _upgrade_checks(self) -> tuple[tuple[str, Callable[[object], upgradecheck.Result]], ...]:  # type: ignore[override]
        return tuple((one.check, partial(_result, one)) for one in self._found())

    def _found(self) -> list[Finding]:
        try:
            check_values(self._conf)
            shorten(self._conf, _DEADLINE_SECONDS)
            return open_preflight(Runtime(self._conf)).run()
        except AmphoraImageError as error:
            return [Finding.of("configuration", error)]


def _result(finding: Finding, _: object) -> upgradecheck.Result:
    details = "; ".join(filter(None, (finding.detail, finding.remedy)))
    return upgradecheck.Result(upgradecheck.Code(finding.level.value), details)


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``upgrade check`` and give the worst result's code."""
    conf = cfg.ConfigOpts()
    register_opts(conf)
    upgradecheck.register_cli_options(conf, Checks(conf))
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with explained():
            conf(
                arguments,
                project="amphora_image",
                prog="amphora-image-status",
                usage=_USAGE,
                description=_DESCRIPTION,
                epilog=_EPILOG,
            )
    except AmphoraImageError as error:
        sys.stderr.write(f"amphora-image-status: {error}\n")
        return upgradecheck.Code.FAILURE.value
    upgradecheck.CONF = conf  # where oslo.upgradecheck looks for --json
    return int(upgradecheck.run(conf))
