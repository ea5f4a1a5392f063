# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
from pathlib import Path

from amphora_image.publish.leftovers import Fate, fate, mark


def of(pid, started="1"):
    boot, namespace, _, _ = mark().split(" ")
    return f"{boot} {namespace} {pid} {started}"


def test_a_mark_tells_whether_its_process_still_runs():
    assert fate(mark()) is Fate.RUNS


def test_a_process_that_ended_is_told_even_when_its_id_was_used_again():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        theirs = of(child.pid, Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19])
        assert fate(theirs) is Fate.RUNS
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert fate(theirs) is Fate.ENDED, "it is still listed, for nobody has waited for it"
    assert fate(theirs) is Fate.ENDED
    assert fate(of(os.getpid())) is Fate.ENDED


def test_what_cannot_be_seen_from_here_is_not_judged():
    boot, namespace, pid, started = mark().split(" ")
    assert fate(f"other {namespace} {pid} {started}") is Fate.UNKNOWN
    assert fate(f"{boot} pid:[1] {pid} {started}") is Fate.UNKNOWN
    assert fate(of("../1")) is Fate.UNKNOWN
    assert fate("") is Fate.UNKNOWN
