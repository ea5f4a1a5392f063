# SPDX-License-Identifier: Apache-2.0
"""The trial itself: what an image has to do, one step after another, until one fails.

An image with the amphora agent is driven as Octavia drives it. One that answers on port 80 at once, as the tiny one does,
has to do no more than that and to shut down.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.build.assembly import FORMATS
from amphora_image.build.inspection.inspect import opened_image, telling
from amphora_image.build.inspection.system import architecture_of
from amphora_image.build.programs import require
from amphora_image.build.trial.agent import Heartbeats
from amphora_image.build.trial.authority import issue
from amphora_image.build.trial.deadline import Deadline
from amphora_image.build.trial.driving import Driver, Ports
from amphora_image.build.trial.machine import PROCESSORS, PROGRAMS, Hardware, Machine, Network, firmware_files
from amphora_image.build.trial.members import Members
from amphora_image.build.trial.report import Step
from amphora_image.build.trial.seed import agent_config, files_of, write_config_drive
from amphora_image.contents import Inspector
from amphora_image.errors import ConfigurationError, TrialFailedError, UnreadableImageError, UnusableFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_MANAGEMENT = ("10.0.2", "52:54:00:0a:00:02")
_VIP = ("10.0.3", "52:54:00:0a:00:03")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long the image may take: to boot until it answers, for each step after that, and to shut down; in seconds."""

    boot_seconds: float = 600.0
    step_seconds: float = 120.0
    shutdown_seconds: float = 120.0


def prepare(image: Path, firmwares: Sequence[str], *, accelerator: str, boot_seconds: float) -> Trial:
    """Make sure that the image can be tried here, and give its trial.

    :raises UnusableFileError: it is no file that can be read, or its system is for another processor than the machine's.
    :raises UnsafeImageError: no hypervisor should be given it.
    :raises MissingProgramsError: programs or firmware are missing; it names all of them.
    """
    files = {pair[0]: "ovmf" for name in firmwares if (pair := firmware_files(name)) is not None}
    require(PROGRAMS, files)
    found = disk_format(image)
    _check_architecture(image)
    limits = Limits(boot_seconds=boot_seconds)
    return Trial(image=image.absolute(), image_format=found, accelerator=accelerator, limits=limits)


def disk_format(image: Path) -> str:
    """Say in which format an image is, having made sure that it leads to no other file.

    :raises UnusableFileError: it is no file that can be read, or in a format that is not for disks of amphorae.
    :raises UnsafeImageError: as for :class:`Inspector`.
    """
    inspector = Inspector()
    try:
        if not image.is_file():
            raise UnusableFileError(f"{image} is no file", "name an image that `amphora-image build` made")
        with image.open("rb") as file:
            while inspector.format is None and (block := file.read(1 << 20)):
                inspector.feed(block)
    except OSError as error:
        raise UnusableFileError(f"{image} cannot be read: {error.strerror}", "give us the right to read it") from error
    found = inspector.finish()
    if found not in FORMATS:
        raise UnusableFileError(f"{image} is in the format {found}", f"convert it to {', '.join(FORMATS)}")
    return found


def _check_architecture(image: Path) -> None:
    """Refuse a system that the machine's processor does not run; whether one that cannot be read boots will be seen.

    :raises UnusableFileError: it is for another processor.
    """
    found = ""
    unreadable = contextlib.suppress(UnreadableImageError, ConfigurationError)
    with unreadable, opened_image(image) as opened, telling(image):
        found = architecture_of(opened.tree)
    if found not in {"", *PROCESSORS}:
        raise UnusableFileError(f"{image} holds a system for {found}", f"only those for {PROCESSORS[0]} are tested")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial of ``image``, which is in ``image_format`` as Glance names it, on a machine of that accelerator."""

    image: Path
    image_format: str
    accelerator: str = "tcg"
    limits: Limits

    def run(self, firmware: str, folder: Path, tell: Callable[[Step], object]) -> list[Step]:
        """Boot by that firmware and go through all steps; ``tell`` hears of each as it ends.

        The console's log is in ``folder``, an empty one. What fails is the last of the steps.
        """
        steps = _Steps(tell)
        amphora, key = str(uuid.uuid4()), uuid.uuid4().hex
        credentials = issue(amphora)
        with Heartbeats(key) as heartbeats, Members() as members:
            ports = Ports.free()
            management = Network(
                name="management",
                prefix=_MANAGEMENT[0],
                mac=_MANAGEMENT[1],
                forwards=(f"{ports.agent}-:9443", f"{ports.direct}-:80"),
            )
            vip = Network(name="vip", prefix=_VIP[0], mac=_VIP[1], forwards=(f"{ports.vip}-{_VIP[0]}.20:80",))
            config = agent_config(amphora, f"{management.host}:{heartbeats.port}", key)
            seed = folder / "seed.iso"
            (folder / "seed").mkdir(mode=0o700)
            write_config_drive(seed, files_of(amphora, management.mac, credentials, config), folder=folder / "seed")
            hardware = Hardware(
                image=self.image,
                image_format=self.image_format,
                firmware=firmware,
                accelerator=self.accelerator,
                seed=seed,
                networks=(management, vip),
            )
            for name, content in (("authority.pem", credentials.authority), ("client.pem", credentials.client)):
                (folder / name).touch(mode=0o600)
                (folder / name).write_bytes(content)
            with Machine(hardware, folder) as machine:
                driver = Driver(machine, ports, folder, amphora)
                steps.take("boots and answers", lambda: driver.wait(self.limits.boot_seconds))
                if driver.has_agent:
                    limit = self.limits.step_seconds
                    steps.take("refuses strangers", driver.refuses_strangers)
                    steps.take("tells of itself", driver.tells_of_itself)
                    steps.take("takes the VIP's interface", lambda: driver.plug(vip, limit))
                    steps.take("refuses a broken configuration", driver.refuses_nonsense)
                    steps.take("takes a configuration and starts", lambda: driver.configure(vip, members))
                    steps.take("balances HTTP", lambda: driver.balances(members, limit))
                    steps.take("sends statistics", lambda: driver.counts(heartbeats, limit))
                steps.take("shuts down", lambda: self._shut_down(machine))
        return steps.taken

    def _shut_down(self, machine: Machine) -> str:
        """Press the button and wait.

        :raises TrialFailedError: it does not switch itself off.
        """
        machine.press_power_button()
        if not machine.ended(Deadline(self.limits.shutdown_seconds)):
            detail = f"it did not switch itself off within {self.limits.shutdown_seconds:.0f} s"
            raise TrialFailedError("shuts down", detail, str(machine.console))
        return "it switched itself off"


class _Steps:
    """The steps taken so far."""

    def __init__(self, tell: Callable[[Step], object]) -> None:
        self.taken: list[Step] = []
        self._tell = tell

    def take(self, name: str, act: Callable[[], str]) -> None:
        """Take a step, unless the one before failed, and note how it went."""
        if self.taken and self.taken[-1].failure:
            return
        began = time.monotonic()
        try:
            seen, failure = act(), ""
        except TrialFailedError as error:
            seen, failure = "", error.detail
        except OSError as error:
            seen, failure = "", str(error) or type(error).__name__
        step = Step(name, time.monotonic() - began, seen, failure)
        self.taken.append(step)
        self._tell(step)
