# SPDX-License-Identifier: Apache-2.0
"""What an image was made of, in two files beside it: its digests and the inputs, and a bill of its packages (CycloneDX)."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import uuid
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot5
from packageurl import PackageURL

if TYPE_CHECKING:
    from pathlib import Path

    from amphora_image.build.builder.request import Request
    from amphora_image.build.inspection.report import Inspection

PROVENANCE = ".provenance.json"
BILL = ".cdx.json"

#: What package URLs call the packages of dpkg and of rpm.
_KINDS = {"dpkg": "deb", "rpm": "rpm"}
_BLOCK_BYTES = 1 << 20
_ACCOUNT = re.compile(r"(?<=://)[^/@\s]*@")
#: What a variable is called that holds a secret; as in the element that keeps such ones out of the image.
_SECRET = re.compile(r"PASS|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Digests:
    """The digests of a file, in hexadecimal, and its size in bytes."""

    size: int
    sha256: str
    sha512: str

    @classmethod
    def of(cls, path: Path) -> Digests:
        """Read the file once for both.

        :raises OSError: it cannot be read.
        """
        one, other, size = hashlib.sha256(), hashlib.sha512(), 0
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                size += len(block)
                one.update(block)
                other.update(block)
        return cls(size, one.hexdigest(), other.hexdigest())


def provenance(request: Request, name: str, digests: Digests) -> str:
    """Write the image's digests and what it was made of as JSON; no account of a mirror, and no password, is in it."""
    variables = {
        name: value for name, value in os.environ.items() if name.startswith("DIB_") and not _SECRET.search(name)
    }
    variables |= request.environment
    inputs: dict[str, Any] = {
        "elements": list(request.elements),
        "packages": list(request.packages),
        "variables": {name: _ACCOUNT.sub("", value) for name, value in sorted(variables.items())},
        "architecture": request.disk.architecture,
        "type": request.type,
        "disk_size": request.disk.size,
        "compression": request.disk.compression,
        "kernel_options": request.disk.boot.kernel_options,
        "epoch": request.disk.epoch,
    }
    builder = {name: version(name) for name in ("amphora-image", "diskimage-builder")}
    image = {"name": name, "size": digests.size, "sha256": digests.sha256, "sha512": digests.sha512}
    return json.dumps({"image": image, "builder": builder, "inputs": inputs}, indent=1, sort_keys=True) + "\n"


def bill(found: Inspection, name: str, digests: Digests, *, epoch: int | None) -> str:
    """Write the packages that were found in an image as CycloneDX's JSON; with ``epoch`` always the same for the same."""
    bom = Bom()
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{digests.sha256}")
    bom.metadata.timestamp = dt.datetime.now(dt.UTC) if epoch is None else dt.datetime.fromtimestamp(epoch, dt.UTC)
    system = found.system
    release = system.release if system else None
    whole = Component(name=name, version=release, type=ComponentType.OPERATING_SYSTEM, bom_ref=name)
    bom.metadata.component = whole
    kind, space = _KINDS.get(found.package_system or "", "generic"), system.id if system else None
    listed = [(kind, space, package) for package in found.packages or ()]
    for kind, space, package in [*listed, *(("pypi", None, package) for package in found.pip_packages)]:
        qualifiers = {"arch": package.architecture} if package.architecture else None
        url = PackageURL(kind, space, package.name, package.version, qualifiers)
        bom.components.add(
            Component(
                name=package.name, version=package.version, type=ComponentType.LIBRARY, purl=url, bom_ref=str(url)
            )
        )
    bom.register_dependency(whole, bom.components)
    return str(JsonV1Dot5(bom).output_as_string(indent=1)) + "\n"


def remove_beside(output: Path) -> None:
    """Remove what is known of an ``output`` that is about to be another.

    :raises OSError: it cannot be removed.
    """
    for end in (PROVENANCE, BILL):
        output.with_name(output.name + end).unlink(missing_ok=True)


def write_beside(request: Request, output: Path, found: Inspection | None) -> None:
    """Write what is known of ``output`` beside it; ``found`` is what was seen in it, None of a tar.

    :raises OSError: it cannot be written.
    """
    digests = Digests.of(output)
    output.with_name(output.name + PROVENANCE).write_text(provenance(request, output.name, digests), encoding="utf-8")
    if found is not None:
        text = bill(found, output.name, digests, epoch=request.disk.epoch)
        output.with_name(output.name + BILL).write_text(text, encoding="utf-8")
