# SPDX-License-Identifier: Apache-2.0
"""What can be run on this project; ``make`` sets up the environment that the sessions run in.

Every session uses the environment that nox itself runs in, so that nothing is installed twice.
"""

from __future__ import annotations

import logging
import os
import pathlib
import shutil
import sys
import tempfile
import time
import venv

import nox
from nox.command import CommandFailed

ROOT = pathlib.Path(__file__).parent
BIN = pathlib.Path(sys.executable).parent
ELEMENTS = ROOT / "amphora_image" / "build" / "elements"
SUDO = ROOT / "amphora_image" / "build" / "builder" / "sudo.sh"
CONSTRAINTS = ROOT / "constraints.txt"
SAMPLE = ROOT / "etc" / "amphora_image.conf.sample"
SPDX = "# SPDX-License-Identifier: Apache-2.0\n"

nox.options.sessions = ["check", "test"]
# nox says so wherever that other tool is missing; nobody needs it here.
logging.getLogger("nox").addFilter(lambda record: record.getMessage() != "uv binary not found.")


def _run(session: nox.Session, *command: str, **environment: str) -> None:
    """Run a program of our own environment; what it starts finds the others there too."""
    program, *arguments = command
    environment["PATH"] = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    patience = {"interrupt_timeout": 60, "terminate_timeout": 60}  # after Ctrl-C a sandbox has to be ended first
    session.run(str(BIN / program), *arguments, env=environment, external=True, **patience)


def _scripts() -> list[str]:
    """List our shell scripts, by what they begin with or are called."""
    candidates = [
        path for path in (*ROOT.glob("*.sh"), ROOT / ".ci" / "run", SUDO, *ELEMENTS.rglob("*")) if path.is_file()
    ]
    starts = (b"#!/bin/sh\n", b"#!/bin/bash\n", b"#!/usr/bin/env bash\n")
    return sorted(str(path) for path in candidates if path.suffix == ".bash" or path.read_bytes().startswith(starts))


@nox.session(python=False)
def demo(session: nox.Session) -> None:
    """Start a real small cloud, publish images, boot amphorae by tag, and show what happened."""
    _run(session, "python", "examples/demo.py", *session.posargs)


@nox.session(python=False)
def test(session: nox.Session) -> None:
    """Run all tests and report what they cover, branches too; two files at a time, each with a sandbox of its own."""
    _run(session, "pytest", "--cov", "--numprocesses", "2", "--dist", "loadfile", "--durations", "20", *session.posargs)


@nox.session(python=False, name="tiny-image")
def tiny_image(session: nox.Session) -> None:
    """Build the small image, look into it, boot it by BIOS and by UEFI; as root, in about two minutes."""
    _run(
        session,
        "pytest",
        "tests/images/test_tiny_image.py",
        "-k",
        "boots or without_booting or nothing_else or second_build",
        *session.posargs,
    )


@nox.session(python=False, name="image-test")
def image_test(session: nox.Session) -> None:
    """Build the small image and the whole amphora, test them, and try what can go wrong; as root, in some 40 minutes."""
    _run(session, "pytest", "tests/images", *session.posargs)


@nox.session(python=False)
def unit(session: nox.Session) -> None:
    """Run the unit tests alone: no network, no services, under 20 seconds."""
    _run(session, "pytest", "tests/unit", "--numprocesses", "2", *session.posargs)


@nox.session(python=False)
def fuzz(session: nox.Session) -> None:
    """Try the property tests on ever new examples for ten minutes, or the seconds given after ``--``."""
    seconds = float(session.posargs[0]) if session.posargs else 600.0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        _run(session, "pytest", "--quiet", "tests/property", "--hypothesis-profile=fuzz")


@nox.session(python=False)
def check(session: nox.Session) -> None:
    """Run all that reads the code without running it, to the end, and fail if any of it did."""
    failed = []
    shutil.rmtree(ELEMENTS / "__pycache__", ignore_errors=True)  # what Python leaves there is no element, to dib-lint
    for command in (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("lint-imports",),
        *([("reno", "lint")] if (ROOT / ".git").exists() else []),  # it reads the history, which an sdist has not
        ("pytest", "--quiet", "tests/unit/test_sample.py"),
        ("shellcheck", *_scripts()),
        ("dib-lint",),
    ):
        try:
            _run(session, *command, ELEMENTS_DIR=str(ELEMENTS), LIB_DIR=str(ELEMENTS))
        except CommandFailed:
            failed.append(" ".join(command))
    if failed:
        session.error(f"failed: {'; '.join(failed)}")


@nox.session(python=False)
def downstream(session: nox.Session) -> None:
    """Run Octavia's own tests, unmodified, with our driver in the place of Octavia's."""
    _run(session, "python", "tests/downstream/run.py")


@nox.session(python=False)
def releases(session: nox.Session) -> None:
    """Install beside each release of Octavia that README names, or those after ``--``, and run its own tests with ours."""
    for release in session.posargs or ("19.0.0", "18.0.1", "17.0.1"):
        with tempfile.TemporaryDirectory(prefix="amphora-image-release-") as folder:
            venv.create(folder, with_pip=True, symlinks=True)
            python = f"{folder}/bin/python"
            pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check")
            session.run(*pip, "install", f"octavia=={release}", "fixtures", "testtools", "pytest", external=True)
            before = session.run(*pip, "freeze", external=True, silent=True).splitlines()
            session.run(*pip, "install", str(ROOT), external=True)
            after = session.run(*pip, "freeze", external=True, silent=True).splitlines()
            if changed := sorted(set(before) - set(after)):
                session.error(f"installing beside Octavia {release} changed {', '.join(changed)}")
            session.run(python, "tests/downstream/run.py", external=True)
            session.log(f"Octavia {release}: {len(before)} installed packages are as they were")


@nox.session(python=False, name="downstream-glance")
def downstream_glance(session: nox.Session) -> None:
    """Run Glance's own functional tests of its API, unmodified, with our filter in its pipeline; some minutes."""
    _run(session, "python", "-W", "ignore", "tests/downstream/glance_api.py")


@nox.session(python=False)
def sample(session: nox.Session) -> None:
    """Write ``etc/amphora_image.conf.sample`` anew from the options."""
    _run(session, "oslo-config-generator", "--config-file", "etc/oslo-config-generator.conf")
    SAMPLE.write_text(SPDX + SAMPLE.read_text(encoding="utf-8"), encoding="utf-8")


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    _run(session, "sphinx-build", "-W", "--keep-going", "-E", "-q", "-b", "html", "doc/source", "doc/build/html")


@nox.session(python=False)
def bench(session: nox.Session) -> None:
    """Run each benchmark, or those named after ``--``."""
    for name in session.posargs or sorted(str(path) for path in ROOT.glob("benchmarks/[!_]*.py")):
        _run(session, "python", name)


@nox.session(python=False)
def package(session: nox.Session) -> None:
    """Build wheel and sdist, install each into an environment of its own, and try what was installed."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    _run(session, "python", "-m", "build", "--quiet", "--outdir", "dist", ".")
    for archive in sorted((ROOT / "dist").iterdir()):
        with tempfile.TemporaryDirectory(prefix="amphora-image-package-") as folder:
            venv.create(folder, with_pip=True, symlinks=True)
            python = f"{folder}/bin/python"
            install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            session.run(python, *install, "--constraint", str(CONSTRAINTS), str(archive), external=True)
            session.run(python, "-m", "pip", "check", external=True)
            with session.chdir(folder):
                session.run(python, "-I", str(ROOT / ".ci" / "try_installed.py"), external=True)
