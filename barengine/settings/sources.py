"""Where settings come from: the environment and a YAML file, both as plain text.

A YAML value is taken as it is written: ``off`` is not turned into false, nor ``007`` into 7,
so that a key means the same in both places and an error can show what the user wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

from barengine.errors import ConfigurationError
from barengine.settings.values import MASK, mask_value

ENV_PREFIX: Final = "BARENGINE_"
CONFIG_KEY: Final = "config"
KERNEL_VARIABLE: Final = "BARENGINE_KERNEL"
"""Chooses between two kernels that give the same bars: for the command line, not a setting."""
SECRET_KEYS: Final = frozenset({"sasl_password", "schema_registry_password"})

_NULL_TAG: Final = "tag:yaml.org,2002:null"
_LINK_VALUE_RE: Final = re.compile(r"(tcp|udp|sctp)://")
_LINK_RE: Final = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_\w+)")


@dataclass(frozen=True, slots=True)
class Given:
    """One value as the user gave it."""

    key: str
    """In lower case, without the prefix; empty where it is no key at all."""
    text: str
    name: str
    """The key as the user wrote it, and where: BARENGINE_GRACE, or `grace` in FILE (line 3)."""
    in_file: bool = False
    origin: str = ""
    """Where it was set, for a table: environment BARENGINE_GRACE, FILE:3."""

    def __str__(self) -> str:
        return f"{self.name} is {shown(self.key, self.text)}"

    def spell(self, key: str) -> str:
        """Another key, in the way this one was written."""
        return key if self.in_file else env_name(key)


def env_name(key: str) -> str:
    """The environment variable of a key."""
    return ENV_PREFIX + key.upper()


def shown(key: str, text: str) -> str:
    """A value as it may appear in a message."""
    return MASK if key in SECRET_KEYS else repr(mask_value(text))


def read_environ(environ: Mapping[str, str]) -> Iterator[Given]:
    """Yield every ``BARENGINE_*`` variable that is meant for us."""
    for name, text in environ.items():
        ours = name.startswith(ENV_PREFIX) and name != KERNEL_VARIABLE
        if ours and not _service_link(name, text):
            key = name.removeprefix(ENV_PREFIX).lower()
            yield Given(key, text, name, origin=f"environment {name}")


def _service_link(name: str, text: str) -> bool:
    # Kubernetes sets such variables in every pod beside a Service named barengine.
    rest = name.removeprefix(ENV_PREFIX)
    if _LINK_VALUE_RE.match(text):
        return rest == "PORT" or rest.endswith("_PORT") or _LINK_RE.fullmatch(rest) is not None
    return _LINK_RE.fullmatch(rest) is not None


def read_file(path: Path, named_by: str, problems: list[str]) -> list[Given]:
    """Read the keys of a YAML file; an empty file has none.

    Args:
        path: the file.
        named_by: what named it, for the message: ``--config`` or ``BARENGINE_CONFIG``.
        problems: takes what is wrong: not readable, not YAML, not keys with one value each.
    """
    given = []
    try:
        for key, value in _pairs(path, named_by):
            line = key.start_mark.line + 1
            where = f"in {path} (line {line})"
            if not isinstance(key, yaml.ScalarNode):
                problems.append(f"a key {where} is no word; write one such as window")
            elif not isinstance(value, yaml.ScalarNode):
                problems.append(f"`{key.value}` {where} has several values; write one")
            else:
                text = "" if value.tag == _NULL_TAG else value.value
                name = f"`{key.value}` {where}"
                given.append(Given(key.value.lower(), text, name, True, f"{path}:{line}"))
    except ConfigurationError as error:
        problems += error.problems
    return given


def _pairs(path: Path, named_by: str) -> list[tuple[yaml.Node, yaml.Node]]:
    root = _compose(path, named_by)
    if root is None or root.tag == _NULL_TAG:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise ConfigurationError(f"{path} holds no keys; write one a line, such as window: 1m")
    return list(root.value)


def _compose(path: Path, named_by: str) -> yaml.Node | None:
    try:
        return yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(
            f"{named_by} is {str(path)!r}: cannot be read ({why}); write the path of a YAML file"
        ) from None
    except yaml.YAMLError as error:
        # Only where: what the library says may quote the line, and that may hold a password.
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        way_out = "write `key: value`, the value in quotes if it begins with a sign"
        raise ConfigurationError(f"{path}{where} is not YAML; {way_out}") from None
