# SPDX-License-Identifier: Apache-2.0
from itertools import pairwise

import pytest

from amphora_image.build.inspection.versions import compare, dpkg_key, rpm_key

#: Each is later than the one before it: of Debian's policy, and what dpkg itself says of the others.
DPKG = ["~~", "~~a", "~", "", "a"]
DPKG_WHOLE = [
    "0",
    "1.0~rc1-1",
    "1.0",
    "1.0-1",
    "1.0-1+b1",
    "1.0a-1",
    "1.0+git1-1",
    "1.0.1-1",
    "1.2-1",
    "1.10-1",
    "1:0.1-1",
    "2:0",
]
#: Of rpm's own manual, rpm-version(7), and its tests.
RPM = [
    "1.0~rc1",
    "1.0",
    "1.0^20200101",
    "1.0a",
    "1.0.1",
    "1.0.2",
    "1.10",
    "2_0",
    "1:0.5-1",
    "1:0.5-2.el9",
    "1:0.5-10.el9",
]


@pytest.mark.parametrize(("earlier", "later"), [*pairwise(DPKG), *pairwise(DPKG_WHOLE)])
def test_versions_are_ordered_as_dpkg_orders_them(earlier, later):
    assert dpkg_key(earlier) < dpkg_key(later)


@pytest.mark.parametrize(("earlier", "later"), list(pairwise(RPM)))
def test_versions_are_ordered_as_rpm_orders_them(earlier, later):
    assert rpm_key(earlier) < rpm_key(later)


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        (dpkg_key, "1.0-0", "1.0"),
        (dpkg_key, "0:1.0", "1.0"),
        (dpkg_key, "1.01", "1.1"),
        (rpm_key, "1.0", "1_0"),
        (rpm_key, "1.010", "1.10"),
    ],
)
def test_some_are_the_same_that_are_written_differently(key, one, other):
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("system", "found", "wanted", "order"),
    [
        ("dpkg", "1:9.2p1-2", "9.2p1", 0),
        ("dpkg", "1:9.2p1-2", "10", -1),
        ("dpkg", "1:9.2p1-2", "2:1", -1),
        ("dpkg", "2.6.12-1+deb12u1", "2.6.12", 0),
        ("dpkg", "2.6.12-1", "2.6.12-1+deb12u1", -1),
        ("dpkg", "2.6.12-1", "2.6", 1),
        ("rpm", "2.8.14-1.el9", "2.8.14", 0),
        ("rpm", "1:2.8.14-1.el9", "2.8.14-1.el9", 0),
        ("pip", "19.0.0.dev5", "19.0.0", -1),
        ("pip", "19.0", "19.0.0", 0),
        ("pip", "not-a-version", "1.0", 1),
        (None, "2.0", "1.0", 1),
    ],
)
def test_what_the_wanted_version_does_not_say_is_not_compared(system, found, wanted, order):
    """An epoch that nobody asked for would make 1:2.0 later than any 9.0."""
    assert compare(system, found, wanted) == order


def test_a_number_may_have_more_digits_than_python_reads():
    assert dpkg_key("1" * 10_000) > dpkg_key("9" * 9_999)
