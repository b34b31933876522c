"""Reads a Dockerfile into stages, for those instructions that ours has; any other is an error.

What a later line may refer to (``ARG``, ``ENV``) is put in here: a step is ready to perform.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
PAIR = re.compile(r'([\w.-]+)=(?:"([^"]*)"|(\S*))')


@dataclass
class Copy:
    """``COPY [--from=stage] source… target``."""

    stage: str | None
    sources: list[str]
    target: str
    workdir: str


@dataclass
class Run:
    """A shell command, and where it runs."""

    command: str
    workdir: str


@dataclass
class Stage:
    """What a stage does, and how its image is set up."""

    image: str
    name: str | None
    steps: list[Copy | Run] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    stop_signal: str = "SIGTERM"
    ports: list[str] = field(default_factory=list)

    def known(self) -> dict[str, str]:
        """What ``$NAME`` stands for in this stage."""
        return self.variables | self.environment


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction with its arguments on one line; comments are left out."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", " ", kept).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


def substituted(text: str, known: dict[str, str]) -> str:
    """The text with ``$NAME`` and ``${NAME}`` put in; what is not known is empty, as in Docker."""
    return VARIABLE.sub(lambda found: known.get(found[1] or found[2], ""), text)


def read(path: Path) -> list[Stage]:
    """The stages of a Dockerfile, in order.

    Raises:
        ValueError: an instruction that is not understood here: it could not be performed either.
    """
    defaults: dict[str, str] = {}
    stages: list[Stage] = []
    for word, rest in instructions(path.read_text()):
        if word == "ARG" and not stages:
            name, _, value = rest.partition("=")
            defaults[name] = value
        elif word == "FROM":
            image, _, name = substituted(rest, defaults).partition(" AS ")
            stages.append(Stage(image, name or None))
        else:
            apply(stages[-1], word, rest, defaults)
    return stages


def apply(stage: Stage, word: str, rest: str, defaults: dict[str, str]) -> None:
    """Let one instruction change its stage."""
    if word == "RUN":  # the shell puts in its variables itself
        stage.steps.append(Run(rest, stage.workdir))
        return
    text = substituted(rest, stage.known())
    match word:
        case "ARG":
            name, given, value = text.partition("=")
            stage.variables[name] = value if given else defaults.get(name, "")
        case "ENV":
            stage.environment |= pairs(text)
        case "LABEL":
            stage.labels |= pairs(text)
        case "COPY":
            stage.steps.append(copy(text, stage.workdir))
        case _:
            configure(stage, word, text)


def configure(stage: Stage, word: str, text: str) -> None:
    """Take over what only says how the image is to be run."""
    match word:
        case "WORKDIR":
            stage.workdir = text
        case "USER":
            stage.user = text
        case "EXPOSE":
            stage.ports += text.split()
        case "STOPSIGNAL":
            stage.stop_signal = text
        case "ENTRYPOINT":
            stage.entrypoint = exec_form(text)
        case "CMD":
            stage.command = exec_form(text)
        case "HEALTHCHECK":
            stage.health = exec_form(text.partition(" CMD ")[2])
        case _:
            raise ValueError(
                f"{word} is not understood: teach tests/image/dockerfile.py to read it"
            )


def pairs(text: str) -> dict[str, str]:
    """``a=b c="d e"`` as a dictionary."""
    return {found[1]: found[2] or found[3] or "" for found in PAIR.finditer(text)}


def copy(text: str, workdir: str) -> Copy:
    """The arguments of one COPY."""
    words = text.split()
    stage = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
    if any(word.startswith("--") for word in words):
        raise ValueError(f"COPY {text}: an option that is not understood")
    return Copy(stage, words[:-1], words[-1], workdir)


def exec_form(text: str) -> list[str]:
    """The words of a command that no shell stands before.

    Raises:
        ValueError: the shell form, in which a signal goes to the shell.
    """
    if not text.startswith("["):
        raise ValueError(f'{text}: write it as ["word", "word"], so that signals arrive')
    words = json.loads(text)
    assert isinstance(words, list)
    return words
