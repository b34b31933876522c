"""Whether a mark is held, and by how much: a sentence each."""

from __future__ import annotations

from collections.abc import Callable

Text = Callable[[float], str]


def at_least(what: str, found: float | None, mark: float, text: Text) -> str:
    """A mark that must be reached; ``found`` None: nothing to judge it by."""
    return _judged(f"{what}, at least {text(mark)}", found, mark, text, above=True)


def at_most(what: str, found: float | None, mark: float, text: Text) -> str:
    """A mark that must not be passed."""
    return _judged(f"{what}, at most {text(mark)}", found, mark, text, above=False)


def _judged(asked: str, found: float | None, mark: float, text: Text, *, above: bool) -> str:
    if found is None:
        return f"Not judged: {asked}: no good run."
    held = found >= mark if above else found <= mark
    percent = 100 * (found / mark - 1)
    side = "above" if percent >= 0 else "below"
    verdict = "Held" if held else "Not held"
    return f"{verdict}: {asked}: {text(found)}, {abs(percent):.0f} % {side}."
