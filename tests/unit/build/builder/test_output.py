# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from amphora_image.build.builder.output import failure_of, phase_of
from amphora_image.errors import (
    BuildFailedError,
    DiskFullError,
    MirrorUnavailableError,
    UnknownChoiceError,
    UntrustedMirrorError,
)


def failure(*lines, phase="installing"):
    return failure_of(lines, phase, work="/work", log="/x.log")


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("Running hooks from /tmp/w/dib_build.x/hooks/root.d", "unpacking the base system"),
        ("dib-run-parts Running /tmp/in_target.d/install.d/50-amphora", "installing"),
        ("dib-run-parts Running /tmp/in_target.d/pre-install.d/04-dib", "preparing the base system"),
        ("Running hooks from /w/hooks/extra-data.d", "collecting what goes into the image"),
        ("Running hooks from /w/hooks/block-device.d", None),
        ("Copying hooks /e/install.d/10", None),
        ("anything else", None),
    ],
)
def test_a_phase_is_known_by_what_diskimage_builder_says_at_its_begin(line, phase):
    assert phase_of(line) == phase


def test_a_mirror_that_is_down_is_told_as_what_may_pass():
    """The issue: "mirror down"."""
    error = failure(
        "Err:1 http://127.0.0.1:9 trixie InRelease",
        "  Could not connect to 127.0.0.1:9 (127.0.0.1). - connect (111: Connection refused)",
        "E: Unable to locate package apt",
    )
    assert isinstance(error, MirrorUnavailableError)
    assert "Could not connect to 127.0.0.1:9" in str(error)


def test_a_mirror_signed_by_an_unknown_key_is_told_as_such():
    """The issue: "mirror … signed by an unknown key"."""
    error = failure(
        "W: GPG error: http://m/debian trixie InRelease: The following signatures couldn't be verified: NO_PUBKEY 6ED",
        "E: The repository 'http://m/debian trixie InRelease' is not signed.",
    )
    assert isinstance(error, UntrustedMirrorError)
    assert "NO_PUBKEY 6ED" in str(error)


def test_a_mirror_whose_signature_has_expired_is_told_as_such():
    error = failure("E: Release file for http://m/debian/dists/trixie/InRelease is expired (invalid since 21d 4h).")
    assert isinstance(error, UntrustedMirrorError)


def test_what_an_installer_complains_of_is_told_and_not_what_is_said_while_all_is_taken_down():
    error = failure(
        "> E: Could not get lock /var/cache/apt/archives/lock. It is held by process 0",
        "INFO diskimage_builder.block_device.blockdevice [-] State already cleaned - no way to do anything here",
    )
    assert "E: Could not get lock" in str(error)


def test_a_full_disk_counts_more_than_what_follows_from_it():
    """The issue: "full disk"."""
    error = failure(
        "E: Failed to fetch x", "dpkg: error: cannot write: No space left on device", "E: Sub-process failed"
    )
    assert isinstance(error, DiskFullError)
    assert "/work" in str(error)


def test_an_unknown_release_is_told_as_such():
    """The issue: "unknown … release"."""
    error = failure("E: The repository 'http://m/debian trixy Release' does not have a Release file.")
    assert isinstance(error, UnknownChoiceError)
    assert "trixy" in str(error)


def test_an_unknown_package_is_told_as_such():
    error = failure("E: Unable to locate package haproxxy")
    assert isinstance(error, UnknownChoiceError)
    assert "haproxxy" in str(error)


def test_any_other_failure_is_told_with_its_phase_and_the_first_complaint():
    error = failure("dib-run-parts Running 50-x", "E: this is it", "more", "ended with 1")
    assert isinstance(error, BuildFailedError)
    assert str(error) == "the build failed while installing: E: this is it; see /x.log"


def test_a_package_of_keys_that_is_installed_is_no_sign_of_a_mirror_that_nobody_trusts():
    error = failure("Setting up debian-archive-keyring (2025.1) ...", "E: Unable to locate package haproxxy")
    assert isinstance(error, UnknownChoiceError)
    assert isinstance(failure("E: The keyring /my.gpg does not exist"), UntrustedMirrorError)


def test_a_package_index_that_does_not_answer_is_told_as_such():
    error = failure("WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'", "ERROR: none")
    assert isinstance(error, MirrorUnavailableError)
    assert "index" in str(error)


def test_the_name_of_a_hook_is_no_sign_of_what_went_wrong():
    error = failure("dib-run-parts Running /tmp/hooks/root.d/09-apt-keyring", "E: gnupg is not installed")
    assert isinstance(error, BuildFailedError)
    assert "E: gnupg is not installed" in str(error)


def test_a_failure_without_complaint_is_told_with_the_last_line():
    assert "last words" in str(failure("first", "last words", ""))
    assert "it said nothing" in str(failure())
