# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from amphora_image.build.builder.rootfs import forget_the_build


def test_what_tells_builds_apart_is_removed_and_nothing_outside_the_tree(tmp_path):
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for folder in (tree / "etc", tree / "var" / "cache" / "ldconfig", outside):
        folder.mkdir(parents=True)
    (tree / "etc" / "dib-manifests").symlink_to(outside)
    (outside / "dib_arguments").touch()
    for name in ("aux-cache", "another"):
        (tree / "var" / "cache" / "ldconfig" / name).touch()
    forget_the_build(tree)
    assert (outside / "dib_arguments").exists()
    assert [path.name for path in (tree / "var" / "cache" / "ldconfig").iterdir()] == ["another"]
