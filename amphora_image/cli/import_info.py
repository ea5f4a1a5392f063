# SPDX-License-Identifier: Apache-2.0
"""``amphora-image import-info``: which ways into a Glance there are, and which of them really work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliff.lister import Lister

from amphora_image.cli.context import open_session, seconds

if TYPE_CHECKING:
    import argparse

    from keystoneauth1.session import Session
    from oslo_config import cfg

    from amphora_image.publish.probe import Prober

_EPILOG = (
    "A method that is enabled may not work all the same: a mis-set staging area leaves images in `uploading` for ever, "
    "and web-download is filtered. --probe imports 64 KiB by each method and deletes them again. For web-download it "
    "needs --probe-url, for Glance fetches that itself; copy-image needs a second store. A method that was tried and does not "
    "work makes it end with 1."
)


class ImportInfo(Lister):
    """Show by which methods and into which stores this cloud takes images.

    With --probe each method is tried with a few bytes, which are deleted again.
    """

    _epilog = _EPILOG  # type: ignore[assignment]  # cliff says None, and means text too
    _exit_code = 0

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take whether to try, and for how long."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--probe", action="store_true", help="Import a few bytes by each method.")
        parser.add_argument("--probe-url", metavar="URL", help="A small file that Glance can fetch, for web-download.")
        parser.add_argument(
            "--deadline", type=seconds, default=60.0, metavar="SECONDS", help="For each method tried (default: 60)."
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Ask twice; with --probe also try."""
        looked = _prober(*open_session(self.app.options), deadline_seconds=parsed_args.deadline)
        probe = looked.probe(parsed_args.probe_url) if parsed_args.probe or parsed_args.probe_url else looked.look()
        self._exit_code = int(any(one.works is False and one.kind == "method" for one in probe))
        return ("kind", "name", "detail", "works"), [(one.kind, one.name, one.detail, one.works) for one in probe]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """End with 1 when a method that was tried does not work."""
        return super().run(parsed_args) or self._exit_code


def _prober(conf: cfg.ConfigOpts, session: Session, *, deadline_seconds: float) -> Prober:
    """Make what looks at a Glance; each try may take ``deadline_seconds``."""
    from amphora_image.clients.glance_import import GlanceImports  # noqa: PLC0415 - heavy
    from amphora_image.clients.session import adapter  # noqa: PLC0415 - heavy
    from amphora_image.config.options import GLANCE  # noqa: PLC0415 - heavy
    from amphora_image.publish.probe import Prober  # noqa: PLC0415 - heavy
    from amphora_image.publish.wait import Limits, Waiter  # noqa: PLC0415 - heavy

    glance = adapter(session, conf[GLANCE], "image")
    imports = GlanceImports(glance, deadline_seconds=deadline_seconds, answer_seconds=deadline_seconds)
    limits = Limits(phase_seconds=deadline_seconds, stuck_seconds=deadline_seconds)
    return Prober(imports, Waiter(imports, limits=limits))
