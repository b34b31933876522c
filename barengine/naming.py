"""Names that leave the process: topics, keys, transactional ids. One place, one escape rule."""

from __future__ import annotations

from typing import Final

SEPARATOR: Final = "|"


def escape(part: str) -> str:
    """Escape ``\\`` and ``|`` by ``\\``, so that joined parts can be split again."""
    return part.replace("\\", "\\\\").replace(SEPARATOR, "\\" + SEPARATOR)


def join(*parts: str) -> str:
    """Join escaped parts by ``|``."""
    return SEPARATOR.join(escape(part) for part in parts)


def split(text: str) -> list[str]:
    """Undo :func:`join`.

    Raises:
        ValueError: the text ends inside an escape.
    """
    if "\\" not in text:
        return text.split(SEPARATOR)
    parts, current, chars = [], [], iter(text)
    for char in chars:
        if char == "\\":
            following = next(chars, None)
            if following is None:
                raise ValueError(f"{text!r} ends inside an escape")
            current.append(following)
        elif char == SEPARATOR:
            parts.append("".join(current))
            current = []
        else:
            current.append(char)
    parts.append("".join(current))
    return parts


def bar_key(broker: str, symbol: str, bucket_start_ms: int) -> bytes:
    """Key of a bar record: ``broker|symbol|bucket_start`` in UTF-8, bucket_start in epoch ms."""
    return f"{join(broker, symbol)}{SEPARATOR}{bucket_start_ms}".encode()


def in_context(context: str, name: str) -> str:
    """Prefix a topic or group name by ``{context}.`` where a context is set."""
    return f"{context}.{name}" if context else name


def state_topic(group_id: str, input_topic: str) -> str:
    """The state topic of a group and an input topic, both already in their context."""
    return f"{group_id}.{input_topic}.state"


def transactional_id(context: str, group_id: str, input_topic: str, partition: int) -> str:
    """One transactional id per input partition: who initialises it last owns the partition."""
    return join(context, group_id, input_topic, str(partition))
