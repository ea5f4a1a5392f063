# SPDX-License-Identifier: Apache-2.0
from fakes.file_system import tree

from amphora_image.build.inspection.accounts import accounts_of, key_files

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1::/usr/sbin:/usr/sbin/nologin
open:x:1000:1000::/home/open:/bin/sh
old:$6$abc:1001:1001::/home/old:/bin/sh
locked:x:1002:1002::/home/locked:/bin/sh
service:x:1003:1003::/srv:/usr/sbin/nologin
unknown:x:1004:1004::/srv:/bin/sh
# a comment
broken
"""
SHADOW = """\
root:*:19000:0:99999:7:::
daemon:*:19000:0:99999:7:::
open::19000:0:99999:7:::
locked:!$6$abc:19000:0:99999:7:::
service:$6$abc:19000:0:99999:7:::
"""
KEYS = "# mine\nssh-ed25519 AAAA one\n\nssh-rsa AAAA two\n"


def found(files):
    image = tree({"etc/passwd": PASSWD, "etc/shadow": SHADOW, **files})
    return {each.name: (each.password, each.keys) for each in accounts_of(image)}


def test_accounts_that_a_password_or_none_opens_are_found():
    assert found({}) == {"open": ("empty", 0), "old": ("set", 0)}


def test_accounts_that_a_key_opens_are_found():
    assert found({"root/.ssh/authorized_keys": KEYS})["root"] == ("", 2)
    assert found({"root/.ssh/authorized_keys2": KEYS})["root"] == ("", 2)
    assert "root" not in found({"root/.ssh/authorized_keys": "# none\n"})


def test_keys_are_looked_for_where_sshd_does():
    files = {
        "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile none\n",
        "etc/ssh/sshd_config.d/10-keys.conf": "authorizedkeysfile /etc/ssh/keys/%u .keys\n",
        "etc/ssh/keys/root": KEYS,
        "home/locked/.keys": KEYS,
        "root/.ssh/authorized_keys": KEYS,
    }
    accounts = found(files)
    assert (accounts["root"], accounts["locked"]) == (("", 2), ("", 2))


def test_files_of_keys_are_found_wherever_they_lie():
    files = {"srv/.ssh/authorized_keys": KEYS, "etc/skel/.ssh/authorized_keys": "", "root/.ssh/authorized_keys2": KEYS}
    assert key_files(tree(files)) == ("/root/.ssh/authorized_keys2", "/srv/.ssh/authorized_keys")


def test_an_image_without_accounts_has_none():
    assert accounts_of(tree({"etc/x": ""})) == ()
