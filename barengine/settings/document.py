"""The pages about the settings, made of their descriptions: the reference and the example file.

``make config-pages`` writes both, and a test holds them to what is here.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Final

import yaml  # type: ignore[import-untyped]  # PyYAML ships no types

from barengine.settings.model import KEYS, Settings
from barengine.settings.sources import CONFIG_KEY, SECRET_KEYS, env_name

_SECTIONS: Final = {
    "bootstrap_servers": "Kafka",
    "schema_registry_url": "Schema registry",
    "context": "Names and the consumer group",
    "input_topic": "Input",
    "window": "Bars",
    "output_topic": "Output",
    "http_host": "The process",
}
"""Title by the key that begins a section; a key that is not here goes on with the one before."""

_WIDTH: Final = 100

_EXAMPLE_HEAD: Final = """\
# Every key of barengine, with its default. Remove the # before a key to change it.
#
# The same keys in capitals with BARENGINE_ before them are environment variables, which win over
# this file: BARENGINE_WINDOW=5s. Use the file with --config FILE or BARENGINE_CONFIG=FILE.
# Durations: 250ms 5s 1m 1h 30d. A key without a value has its default.
"""

_REFERENCE_HEAD: Final = """\
# Configuration

Made by `make config-pages` from the code; a test holds the two together.

Every key can be set in two places:

- as an environment variable: `BARENGINE_WINDOW=5s`;
- in a YAML file, in lower case and without the prefix: `window: 5s`. The file is named by
  `--config FILE` or `BARENGINE_CONFIG=FILE`. [config/barengine.yaml](../config/barengine.yaml) has
  every key with its default; `barengine config docs --example` prints it.

The environment wins over the file, and `--config` over `BARENGINE_CONFIG`. An empty value stands
for the default. Durations are a whole number and a unit: `250ms`, `5s`, `1m`, `1h`, `30d`.

A key that does not exist, a value that cannot be read and keys that contradict each other are
errors: the process names all of them at once and ends with exit code 2. Three commands help:

- `barengine config show` prints every key with its value and where that comes from, secrets as
  `***`; `--json` is for programs.
- `barengine config check` does what `barengine run` does before it connects anywhere, with the same
  errors; exit code 0 or 2. Whether the cluster and the registry fit is what
  `barengine infra plan` tells.
- `barengine config docs` prints this page.

Keys marked *secret* are never shown: not in the log, not by `/status`, not in an error; nor are
user and password in a URL. Set them in the environment, from a Secret for instance, not in a
file."""


def reference() -> str:
    """docs/configuration.md."""
    lines = [_REFERENCE_HEAD]
    for key, default, text in _keys():
        if key in _SECTIONS:
            lines += [f"\n## {_SECTIONS[key]}\n", "| variable | default | |", "|---|---|---|"]
        shown = "" if default is None else f"`{default}`" if default else "(empty)"
        marked = "*secret.* " if key in SECRET_KEYS else ""
        lines.append(
            f"| `{env_name(key)}` | {shown} | {marked}{text.replace('|', chr(92) + '|')} |"
        )
    return "\n".join(lines) + "\n"


def example() -> str:
    """config/barengine.yaml: every key that a file may hold, commented out."""
    blocks = [_EXAMPLE_HEAD]
    for key, default, text in _keys():
        if key == CONFIG_KEY:
            continue
        if key in _SECTIONS:
            blocks.append(f"# ---- {_SECTIONS[key]} ".ljust(_WIDTH, "-") + "\n")
        comment = textwrap.wrap(text, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
        lines = [*(f"# {line}" for line in comment), f"#{key}:{_in_yaml(default)}"]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _keys() -> Iterator[tuple[str, str | None, str]]:
    """Key, default as a user writes it (None: not set) and description, in their order."""
    defaults = Settings().public()
    for key, name in KEYS.items():
        default = defaults[key]
        description = Settings.model_fields[name].description or ""
        yield key, None if default is None else str(default), description


def _in_yaml(value: str | None) -> str:
    """A value behind its colon; in quotes only where YAML would not read the plain text."""
    if value is None:
        return ""
    try:
        node = yaml.compose(f"key: {value}")
        plain = node.value[0][1].value == value != ""
    except yaml.YAMLError:
        plain = False
    return f" {value if plain else json.dumps(value)}"  # JSON is YAML
