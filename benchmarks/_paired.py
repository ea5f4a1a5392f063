# SPDX-License-Identifier: Apache-2.0
"""Two ways to do one thing, timed in turn: A B A B …, so that a machine that changes its speed does so for both."""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SAMPLES = Path(__file__).parent / "samples"
_RESAMPLES = 2000

T = TypeVar("T")


def seconds_of(command: Sequence[str]) -> float:
    """Run a command to its end, its output thrown away, and give its wall seconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - ours
    return time.perf_counter() - began


def pairs_of(ours: Callable[[], T], peer: Callable[[], T], pairs: int) -> list[tuple[T, T]]:
    """Measure ``pairs`` alternating pairs after one warm-up."""
    ours()
    peer()
    return [(ours(), peer()) for _ in range(pairs)]


def compare(name: str, ours: Callable[[], float], peer: Callable[[], float], pairs: int = 12) -> None:
    """Measure pairs and report them; ``ours`` and ``peer`` each do the thing once and give its cost in seconds."""
    report(name, pairs_of(ours, peer, pairs))


def report(name: str, samples: Sequence[tuple[float, float]], *, add: bool = False) -> None:
    """Print the figures of pairs of seconds, ours first, and keep the raw samples; with ``add`` beside those kept before.

    The ratio is the median of the pairs' ratios, with the 95 % interval of a bootstrap.
    """
    file = _SAMPLES / f"{name}.json"
    before = json.loads(file.read_text(encoding="utf-8"))["pairs"] if add and file.exists() else []
    samples = [*map(tuple, before), *samples]
    pairs = len(samples)
    ratios = [one / other for one, other in samples]
    chance = random.Random(1)  # noqa: S311 - resampling
    medians = sorted(statistics.median(chance.choices(ratios, k=pairs)) for _ in range(_RESAMPLES))
    low, high = medians[int(_RESAMPLES * 0.025)], medians[int(_RESAMPLES * 0.975)]
    ours_all, peer_all = ([pair[side] for pair in samples] for side in (0, 1))
    figures = {
        "ours_seconds": round(statistics.median(ours_all), 4),
        "peer_seconds": round(statistics.median(peer_all), 4),
        "ours_p95_seconds": round(statistics.quantiles(ours_all, n=20)[-1], 4),
        "peer_p95_seconds": round(statistics.quantiles(peer_all, n=20)[-1], 4),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_95": [round(low, 3), round(high, 3)],
    }
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()}
    _SAMPLES.mkdir(exist_ok=True)
    kept = {"name": name, **figures, "pairs": [[round(one, 5), round(other, 5)] for one, other in samples], **machine}
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(
        f"{name}: median {figures['ours_seconds']:.4f} s, peer's {figures['peer_seconds']:.4f} s; "
        f"p95 {figures['ours_p95_seconds']:.4f} s, peer's {figures['peer_p95_seconds']:.4f} s; "
        f"ratio {figures['ratio']:.2f} (95 %: {low:.2f} to {high:.2f}), {pairs} pairs\n"
    )
