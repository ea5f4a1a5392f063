# SPDX-License-Identifier: Apache-2.0
"""``amphora-image build``: make an image that amphorae boot from."""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cliff.show import ShowOne

from amphora_image.cli.build_contents import add_contents, check_contents
from amphora_image.cli.build_publish import add_options, check_options, publish_tested
from amphora_image.cli.context import open_sessions
from amphora_image.cli.program import heed_sigterm
from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from amphora_image.build.builder import Request

_EPILOG = (
    "It needs the rights of root (packages are unpacked and configured), and no loop device, device-mapper or KVM: the "
    "disk is assembled in user space. Packages come from DIB_DISTRIBUTION_MIRROR, else from where this machine takes its "
    "own; the elements find all DIB_ variables. Examples: `amphora-image build`; `amphora-image build --os debian "
    "--release trixie --size 3G -o amphora.qcow2`; `amphora-image build --publish --name amphora-2026.1 --tag amphora`; `amphora-image build --tiny -o tiny.qcow2`; `amphora-image build "
    "--type tar -o - | docker import - image:amphora-x64-haproxy`. exit codes besides the usual: 1 the build failed or "
    "the output cannot be written; 2 something is asked for that there is not; 5 not root; 6 the mirror does not answer."
)
_OUTPUT = "amphora-x64-haproxy"
_MIB = 1 << 20
_UNITS = {"": 1024, "M": 1, "MIB": 1, "G": 1024, "GIB": 1024, "GB": 1024, "MB": 1}


def size(text: str) -> int:
    """Read a size, in GiB where no unit is said; give bytes.

    :raises argparse.ArgumentTypeError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    if not match or match[2].upper() not in _UNITS or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 2G or 1500M")
    return int(float(match[1]) * _UNITS[match[2].upper()]) * _MIB


class Build(ShowOne):
    """Build a bootable image: by default Ubuntu with HAProxy and the amphora agent.

    The disk boots by BIOS and UEFI; its last partition is the root, an ext4 labelled cloudimg-rootfs. The output appears
    when it is whole; all that is said on the way is in the log file beside it.
    """

    _epilog = _EPILOG  # type: ignore[assignment]  # cliff says None, and means text too
    _exit_code = 0

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take what to build and where to."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        add_contents(parser)
        add_options(parser)
        parser.add_argument("--type", default="qcow2", metavar="TYPE", help="qcow2 (default), raw, vhd or tar.")
        parser.add_argument(
            "--size", type=size, default=size("2G"), metavar="SIZE", help="Of the disk: 2G (default), 1500M."
        )
        parser.add_argument(
            "--compression",
            choices=("zlib", "zstd", "none"),
            default="zlib",
            help="Of a qcow2. zstd is faster and smaller, and read by QEMU 5.1 and later alone. Default: zlib.",
        )
        parser.add_argument(
            "-o", "--output", metavar="FILE", help=f"Default: {_OUTPUT} with the type; - is standard output, for a tar."
        )
        parser.add_argument("--overwrite", action="store_true", help="Replace the output where it is a file already.")
        parser.add_argument(
            "--epoch",
            type=int,
            metavar="SECONDS",
            default=os.environ.get("SOURCE_DATE_EPOCH"),
            help="Time since 1970 that stands for now in all that is made here: the same root file system gives the same "
            "bytes. Default: SOURCE_DATE_EPOCH.",
        )
        parser.add_argument("--kernel-options", metavar="TEXT", help="Instead of console=tty0 console=ttyS0,115200.")
        parser.add_argument(
            "--work-dir", type=Path, metavar="DIR", default=Path(tempfile.gettempdir()), help="Default: TMPDIR or /tmp."
        )
        parser.add_argument(
            "--no-tmpfs",
            action="store_true",
            default=(os.environ.get("DIB_NO_TMPFS") or "0") != "0",
            help="Work on the disk even where 8 GiB of memory can be had, half of which would be mounted in the work folder. "
            "DIB_NO_TMPFS=1 says the same.",
        )
        parser.add_argument(
            "--cache-dir",
            type=Path,
            metavar="DIR",
            default=Path("~/.cache/image-create"),
            help="Where downloads stay, and stages of builds for a day.",
        )
        parser.add_argument(
            "--no-cache", action="store_true", help="Make all anew: take no stage of an earlier build, and keep none."
        )
        parser.add_argument("--log-file", type=Path, metavar="FILE", help="Default: the output with .log after it.")
        parser.add_argument("--trace", action="store_true", help="Have the elements' scripts write each command.")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Build, and show what lies there now."""
        heed_sigterm()
        try:
            from amphora_image.build.builder import build  # noqa: PLC0415 - heavy
        except ImportError as error:
            raise ConfigurationError(f"{error.name} is not installed", "pip install 'amphora-image[build]'") from error
        from amphora_image.build.programs import require  # noqa: PLC0415 - heavy
        from amphora_image.build.trial.machine import PROGRAMS  # noqa: PLC0415 - heavy
        from amphora_image.publish.progress import Lines  # noqa: PLC0415 - heavy

        began = time.monotonic()
        check_options(parsed_args)
        require(PROGRAMS if parsed_args.publish else ())  # for the test that comes after the build
        check_contents(parsed_args)
        request = _request(parsed_args)
        if parsed_args.publish:
            from amphora_image.build.builder.request import check  # noqa: PLC0415 - heavy
            from amphora_image.build.builder.rootfs import find_builder  # noqa: PLC0415 - heavy
            from amphora_image.cli.publishing import check_clouds  # noqa: PLC0415 - heavy

            check(request, own_elements=find_builder()[1])  # what costs nothing comes first
            check_clouds(open_sessions(self.app.options), parsed_args.tag)
        progress = Lines(self.app.stderr)
        build(request, progress.begin)
        took = round(time.monotonic() - began, 1)
        path = request.output
        if parsed_args.publish and path is not None:
            tell = lambda step: progress.begin(str(step))  # noqa: E731 - one line
            self._exit_code = publish_tested(path, parsed_args, tell=tell, run=self.app.run_subcommand)
        length = path.stat().st_size if path else None
        told = (request.type, length, request.disk.size if request.type != "tar" else None, took, str(request.log))
        return ("path", "type", "size", "disk_size", "seconds", "log"), [str(path or "-"), *told]

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Any, data: Any) -> int:
        """Show nothing where the image itself went to standard output, or `publish` has shown where it is."""
        if parsed_args.output == "-" or parsed_args.publish:
            return 0
        return int(super().produce_output(parsed_args, column_names, data) or 0)

    def run(self, parsed_args: argparse.Namespace) -> int:
        """End as publishing ended."""
        return super().run(parsed_args) or self._exit_code


def _grub_timeout() -> int:
    """Read how many seconds GRUB waits.

    :raises ConfigurationError: it is no number.
    """
    text = os.environ.get("DIB_GRUB_TIMEOUT") or "0"
    if not text.isdecimal():
        raise ConfigurationError(f"DIB_GRUB_TIMEOUT is {text!r}", "give seconds, as 0 or 5")
    return int(text)


def _request(options: argparse.Namespace) -> Request:
    """Make the request of the options.

    :raises UnknownChoiceError: there is no such operating system or type.
    """
    from amphora_image.build.assembly import Disk  # noqa: PLC0415 - heavy
    from amphora_image.build.assembly.system import BootOptions  # noqa: PLC0415 - heavy
    from amphora_image.build.builder import TYPES, Request  # noqa: PLC0415 - heavy
    from amphora_image.build.builder.memory import spare_memory  # noqa: PLC0415 - heavy
    from amphora_image.build.builder.mirrors import mirrors  # noqa: PLC0415 - heavy
    from amphora_image.build.builder.request import machine_architecture  # noqa: PLC0415 - heavy
    from amphora_image.build.elements import DISK_ELEMENTS, FOLDER, SYSTEMS, Composition  # noqa: PLC0415 - heavy
    from amphora_image.errors import UnknownChoiceError  # noqa: PLC0415 - heavy

    for wanted, known, what in ((options.os, SYSTEMS, "operating system"), (options.type, TYPES, "type of image")):
        if wanted not in known:
            raise UnknownChoiceError(f"there is no {what} {wanted!r}", f"choose one of {', '.join(known)}")
    system = SYSTEMS[options.os]
    composition = Composition(
        system=system,
        ssh=not options.no_ssh,
        enforcing=options.enforcing,
        cpu_pinning=options.cpu_pinning,
        fips=options.fips,
        root_account=options.root_password,
    )
    elements = (system.element, "tiny-balancer") if options.tiny else composition.elements()
    # The disk is assembled here: what would have diskimage-builder do it, which a list of Octavia's names, is left out.
    named = (*options.only_elements.split(), *options.element)
    own = tuple(name for name in named if name not in DISK_ELEMENTS)
    elements = own if options.only_elements else (*elements, *own)
    output = None if options.output == "-" else Path(options.output or f"{_OUTPUT}.{options.type}").absolute()
    log = options.log_file or (output.with_name(f"{output.name}.log") if output else Path("amphora-image-build.log"))
    architecture = options.arch or machine_architecture()
    release = options.release or os.environ.get("DIB_RELEASE") or system.release
    others = os.environ.get("ELEMENTS_PATH", "")
    places = mirrors(options.os.partition("-")[0], Path("/etc/apt"), os.environ)
    if options.os == "ubuntu-minimal" and architecture != machine_architecture():
        places = {}  # Ubuntu's other architectures are on other mirrors, which its element knows
    boot = BootOptions(timeout_seconds=_grub_timeout())
    if options.kernel_options is not None:
        boot = replace(boot, kernel_options=options.kernel_options)
    return Request(
        elements=("user-space-disk", *elements),
        packages=tuple(options.package),
        type=options.type,
        disk=Disk(
            size=options.size,
            format=options.type,
            compression=options.compression,
            architecture=architecture,
            boot=boot,
            epoch=options.epoch,
        ),
        output=output,
        overwrite=options.overwrite,
        log=log.absolute(),
        work=options.work_dir.absolute(),
        memory=0 if options.no_tmpfs else spare_memory(),
        cache=options.cache_dir.expanduser().absolute(),
        keep_stages=not options.no_cache,
        environment={"DIB_RELEASE": release, **places},
        elements_path=(FOLDER, *(Path(each).absolute() for each in others.split(os.pathsep) if each)),
        with_base=not options.tiny,
        trace=options.trace,
    )
