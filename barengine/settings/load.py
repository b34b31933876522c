"""Sources in, checked settings out; every problem is found in one go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from barengine.errors import ConfigurationError
from barengine.settings.conflicts import conflicts
from barengine.settings.model import KEYS, Settings
from barengine.settings.sources import (
    CONFIG_KEY,
    ENV_PREFIX,
    SECRET_KEYS,
    Given,
    env_name,
    read_environ,
    read_file,
    shown,
)

DEFAULT: Final = "default"
"""Origin of a key that is set nowhere."""

_DEFAULTS: Final = Settings().public()

_WAYS_OUT: Final = {
    "enum": "write {expected}",
    "bool_parsing": "write on or off",
    "int_parsing": "write a whole number",
    "int_parsing_size": "write a smaller number",
    "greater_than_equal": "too small; write {ge} or more",
    "less_than_equal": "too large; write {le} or less",
    "value_error": "{error}",
}
"""Our words for what pydantic finds, by its error type."""


class Loaded(NamedTuple):
    """Checked settings, and where they come from."""

    settings: Settings
    origins: Mapping[str, str]
    """By key: ``environment BARENGINE_GRACE``, ``FILE:3`` or ``default``."""


def load_settings(config: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the environment and, beneath it, a YAML file.

    Args:
        config: the YAML file; None takes the one that ``BARENGINE_CONFIG`` names, if any.
        environ: the environment; variables that do not begin with ``BARENGINE_`` are ignored.

    An empty value stands for the key's default.

    Raises:
        ConfigurationError: with every problem there is.
    """
    return load_with_origins(config, environ).settings


def load_with_origins(config: Path | None, environ: Mapping[str, str]) -> Loaded:
    """The same as :func:`load_settings`, and the origin of every key."""
    problems: list[str] = []
    variables = list(read_environ(environ))
    path, named_by = _config_path(config, variables)
    from_file = [] if path is None else read_file(path, named_by, problems)
    given = _known(from_file, problems) | _known(variables, problems)
    given = {key: each for key, each in given.items() if each.text.strip()}
    if path is not None:
        origin = named_by if config is not None else f"environment {named_by}"
        given[CONFIG_KEY] = Given(CONFIG_KEY, str(path), named_by, origin=origin)
    settings = _checked(given, problems)
    if problems:
        raise ConfigurationError(*problems)
    origins = {key: given[key].origin if key in given else DEFAULT for key in KEYS}
    return Loaded(settings, origins)


def _config_path(config: Path | None, variables: Iterable[Given]) -> tuple[Path | None, str]:
    if config is not None:
        return config, "--config"
    for each in variables:
        if each.key == CONFIG_KEY and each.text.strip():
            return Path(each.text.strip()), each.name
    return None, ""


def _known(source: Iterable[Given], problems: list[str]) -> dict[str, Given]:
    """The keys of one source, by key; what is no key becomes a problem."""
    known: dict[str, Given] = {}
    for each in source:
        if each.key not in KEYS:
            problems.append(_unknown(each))
        elif each.key == CONFIG_KEY and each.in_file:
            problems.append(f"{each}: a file cannot name another; remove it")
        elif each.key in known:
            problems.append(f"{each.name} is given twice; remove one")
        else:
            known[each.key] = each
    return known


def _unknown(each: Given) -> str:
    # Never with its value: a misspelt password is one too.
    wanted = each.key.removeprefix(ENV_PREFIX.lower())
    close = get_close_matches(wanted, KEYS, n=1)
    way_out = f"did you mean {each.spell(close[0])}?" if close else "remove it"
    return f"{each.name} is not a key; {way_out}"


def _checked(given: dict[str, Given], problems: list[str]) -> Settings:
    """Settings from what is valid; what is not, and what contradicts, becomes a problem."""
    settings, wrong = _validated({key: _trimmed(each) for key, each in given.items()})
    problems += [f"{given[key]}: {why}" for key, why in wrong.items()]
    for conflict in conflicts(settings):
        if wrong.keys().isdisjoint(conflict.keys):
            stated = " and ".join(_state(key, given) for key in conflict.keys)
            problems.append(f"{stated}: {conflict.way_out}")
    return settings


def _trimmed(each: Given) -> str:
    return each.text if each.key in SECRET_KEYS else each.text.strip()


def _validated(values: dict[str, str]) -> tuple[Settings, dict[str, str]]:
    try:
        return Settings.model_validate(values), {}
    except ValidationError as error:
        wrong = {str(each["loc"][0]): _why(each) for each in error.errors(include_url=False)}
    valid = {key: text for key, text in values.items() if key not in wrong}
    return Settings.model_validate(valid), wrong


def _why(error: ErrorDetails) -> str:
    template = _WAYS_OUT.get(error["type"])
    return error["msg"] if template is None else template.format(**error.get("ctx", {}))


def _state(key: str, given: Mapping[str, Given]) -> str:
    if key in given:
        return str(given[key])
    default = _DEFAULTS[key]
    if default is None or default == "":
        return f"{env_name(key)} is not set"
    return f"{env_name(key)} is {shown(key, str(default))} (the default)"
