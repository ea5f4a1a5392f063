# SPDX-License-Identifier: Apache-2.0
import struct

import pytest
from fakes.file_system import Made, tree

from amphora_image.build.inspection.privileged import privileged_files, told
from amphora_image.build.inspection.structure import DamagedError

NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


def test_files_that_give_more_rights_are_found():
    files = {
        "usr/bin/su": Made("x", mode=0o4755),
        "usr/bin/wall": Made("x", mode=0o2755, owner=(0, 5)),
        "usr/bin/ping": Made("x", mode=0o755, attributes={b"security.capability": NET_RAW}),
        "usr/bin/ls": Made("x", mode=0o755, attributes={b"security.selinux": b"label"}),
        "var/log/text": Made("x", mode=0o2640),
        "srv/shared/": Made(mode=0o2775),
    }
    found = [(each.path, each.mode, each.owner, each.capabilities) for each in privileged_files(tree(files))]
    assert found == [
        ("/usr/bin/ping", "0755", "0:0", "cap_net_raw=ep"),
        ("/usr/bin/su", "4755", "0:0", ""),
        ("/usr/bin/wall", "2755", "0:5", ""),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (struct.pack("<III", 0x01000000, 1 << 0 | 1 << 10, 1 << 0), "cap_chown,cap_net_bind_service=pi"),
        (struct.pack("<IIIII", 0x02000001, 0, 0, 1 << 7, 0), "cap_bpf=ep"),
        (struct.pack("<IIIII", 0x02000001, 0, 0, 1 << 31, 0), "cap_63=ep"),
    ],
)
def test_capabilities_are_told_as_getcap_tells_them(value, text):
    assert told(value) == text


def test_capabilities_that_are_cut_off_are_told():
    with pytest.raises(DamagedError, match="cut off"):
        told(b"\x01")
