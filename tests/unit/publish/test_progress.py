# SPDX-License-Identifier: Apache-2.0
import io

from amphora_image.publish.bar import Bars
from amphora_image.publish.progress import Lines

MIB = 1 << 20


def test_a_line_comes_with_each_phase_and_every_ten_seconds():
    """The issue: "phases, bytes, rate and time left (… a line every ten seconds when not)"."""
    now, out = [0.0], io.StringIO()
    lines = Lines(out, "east", clock=lambda: now[0])
    lines.begin("uploading", 400 * MIB)
    for second in range(25):
        now[0] = float(second)
        lines.moved(second * 10 * MIB)
    lines.begin("importing")
    now[0] = 36.0
    lines.moved(0)
    lines.end()
    assert out.getvalue().splitlines() == [
        "east: uploading 400.0 MiB",
        "east: uploading 100 of 400 MiB, 10.0 MiB/s, 30 s left",
        "east: uploading 200 of 400 MiB, 10.0 MiB/s, 20 s left",
        "east: importing",
        "east: importing for 12 s",
    ]


def test_a_terminal_gets_a_bar():
    out = io.StringIO()
    bars = Bars(out)
    bars.begin("uploading", MIB)
    bars.moved(MIB)
    bars.begin("setting properties")
    bars.begin("importing")
    bars.moved(2 * MIB)
    bars.end()
    told = out.getvalue()
    assert "uploading: 100%" in told
    assert "setting properties [00:00]" in told
    assert "importing: 2.00M" in told
    assert told.endswith("\n")
