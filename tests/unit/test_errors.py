# SPDX-License-Identifier: Apache-2.0
import inspect

import pytest

from amphora_image import errors

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.AmphoraImageError) and kind not in {errors.AmphoraImageError, errors.RetryableError}
]


def made(kind):
    """Make one, with a text of two lines in every field that takes a foreign one."""
    names = list(inspect.signature(kind).parameters)
    texts = {"detail": "one\ntwo", "fault": "one\ntwo", "problem": "one\ntwo", "reason": "one\ntwo"}
    return kind(
        **{name: texts.get(name, name) for name in names if name not in {"rejected", "log_lines", "candidates"}}
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_one_line_that_ends_with_a_remedy(kind):
    told, _, remedy = str(made(kind)).rpartition("; ")
    assert told
    assert remedy
    assert "\n" not in str(made(kind))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_documented_exit_code(kind):
    assert kind.exit_code in {1, 2, 3, 4, 5, 6}
    assert (kind.exit_code == 6) == issubclass(kind, errors.RetryableError)
