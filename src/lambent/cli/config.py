"""The settings file of `lambent up`: its options by name, in TOML.

The command line comes before the environment, and the environment before the file.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click

from lambent.core.errors import StartupError


def config_option(function: Any) -> Any:
    """`--config FILE`: read before the other options."""
    return click.option(
        "--config",
        envvar="LAMBENT_CONFIG",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_read,
        help='A TOML file with any of these options: data-dir = "/var/lib/lambent".',
    )(function)


def _read(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    try:
        found = tomllib.loads(Path(value).read_text("utf-8"))
    except OSError as error:
        raise StartupError(
            f"The settings file {value} cannot be read: {error.strerror}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartupError(f"The settings file {value} is not TOML: {error}.") from error
    names = {
        max(one.opts, key=len).removeprefix("--"): one.name
        for one in context.command.params
        if isinstance(one, click.Option) and one.name != parameter.name
    }
    unknown = sorted(set(found) - set(names))
    if unknown:
        raise StartupError(
            f"The settings file {value} has {', '.join(unknown)}, which lambent up does not "
            f"know; it knows {', '.join(sorted(names))}."
        )
    context.default_map = {names[name]: one for name, one in found.items()}
