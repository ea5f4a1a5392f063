# SPDX-License-Identifier: Apache-2.0
"""Options: registering them, reading an ini, and the policy that follows from them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from oslo_config import cfg

from amphora_image.config.options import OWN_OPTIONS, SHARED_OPTIONS
from amphora_image.config.policy import Policy
from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["check_group", "check_values", "explained", "list_opts", "load", "register_opts", "register_own_opts"]


def register_own_opts(conf: cfg.ConfigOpts) -> None:
    """Register on ``conf`` only what Octavia lacks: beside Octavia's own options, of which none may be repeated."""
    for group, members in OWN_OPTIONS.items():
        conf.register_opts(members, group=group)


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register every option on ``conf``; harmless when repeated."""
    for group, members in SHARED_OPTIONS.items():
        conf.register_opts(members, group=group)
    register_own_opts(conf)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """List the options by group, for oslo-config-generator; ``[service_auth]`` is listed by clients.session."""
    groups = dict.fromkeys([*OWN_OPTIONS, *SHARED_OPTIONS])
    return [(group, [*SHARED_OPTIONS.get(group, ()), *OWN_OPTIONS.get(group, ())]) for group in sorted(groups)]


def load(files: Sequence[str] = (), directories: Sequence[str] = ()) -> cfg.ConfigOpts:
    """Read ini ``files`` and every ``*.conf`` in ``directories``, the later ones winning, and check the values.

    With neither, oslo.config's default places are searched (``~/.amphora_image/``, ``/etc/amphora_image/``).

    :raises ConfigurationError: a file is missing, unreadable or no ini, or an option's value is not of its kind.
    """
    arguments = [f"--config-file={name}" for name in files] + [f"--config-dir={name}" for name in directories]
    conf = cfg.ConfigOpts()
    register_opts(conf)
    with explained(*files, *directories):
        conf(arguments, project="amphora_image")
    check_values(conf)
    return conf


@contextmanager
def explained(*names: str) -> Iterator[None]:
    """Say what is wrong with the files that oslo.config reads inside; ``names`` are told where it names none itself.

    :raises ConfigurationError: a file is missing, unreadable or no ini.
    """
    try:
        yield
    except (cfg.ConfigFilesNotFoundError, cfg.ConfigDirNotFoundError) as error:
        raise ConfigurationError(str(error), "give the path of a file that exists") from error
    except cfg.ConfigFilesPermissionDeniedError as error:
        raise ConfigurationError(str(error), "let this user read the file") from error
    except cfg.ConfigFileParseError as error:
        # The parser's own message quotes the line, which may hold a password; the line's number does not.
        line = getattr(error.__context__, "lineno", "?")
        problem = f"{error.config_file}, line {line}, is no ini"
        raise ConfigurationError(problem, "write [group] lines and name = value lines") from None
    except (cfg.Error, UnicodeDecodeError, OSError) as error:
        problem = f"{', '.join(names) or 'the configuration'} cannot be read: {error}"
        raise ConfigurationError(problem, "mend or replace the file") from error


def check_values(conf: cfg.ConfigOpts) -> None:
    """Read every option of ours once; see :func:`check_group`.

    :raises ConfigurationError: naming the first option that cannot be read.
    """
    for group, options in list_opts():
        check_group(conf, group, [option.dest for option in options])
    Policy.of(conf).check()


def check_group(conf: cfg.ConfigOpts, group: str, names: Iterable[str]) -> None:
    """Read options once, so that a wrong value is told at the start and not in the middle of a failover.

    :raises ConfigurationError: naming the first option whose value is not of its kind; what may be secret is not quoted.
    """
    for name in names:
        try:
            getattr(conf[group], name)
        except (cfg.TemplateSubstitutionError, cfg.NoSuchOptError, cfg.NoSuchGroupError):
            problem = f"[{group}] {name}: a $ in its value begins the name of no option"
            raise ConfigurationError(problem, "write $$ for each $ that is meant as it is") from None
        except cfg.Error as error:
            # oslo.config's text has the file in a repr of its own class; get_location raises the same error.
            found = re.search(r"detail='([^']*)'\) is not valid: (.*)", str(error))
            where, reason = found.groups() if found else ("the configuration", str(error))
            problem = f"{where}: [{group}] {name}: {reason}"
            raise ConfigurationError(problem, "correct the value, or remove the line for the default") from error
