"""A plan for eyes and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from barengine.infra.apply import Done, Plan
from barengine.infra.history import Entry
from barengine.infra.model import Change, LeftAlone, Resource, Step

_NEW: Final = "green"
_CHANGED: Final = "yellow"
_BEFORE: Final = "red"
_LEFT: Final = "magenta"
_PLAIN: Final = ""


class Line(NamedTuple):
    """One line, and its colour where there are colours."""

    text: str
    style: str = _PLAIN


def plan_lines(plan: Plan) -> Iterator[Line]:
    """The difference, as diffs are written: ``+`` is new, ``~`` changes, ``!`` is left alone."""
    found, history = plan
    for step in found.steps:
        yield from _step_lines(step, history.get(step.resource.id))
    for left in found.left_alone:
        yield from _left_lines(left)
    count = len(found.steps)
    what = "nothing to do" if not count else f"{count} to do: barengine infra apply does it"
    left_alone = f", {len(found.left_alone)} left alone" if found.left_alone else ""
    yield Line(f"{what}{left_alone}; {len(found.right)} as they shall be")


def _step_lines(step: Step, entry: Entry | None) -> Iterator[Line]:
    mark, style = ("+", _NEW) if step.new else ("~", _CHANGED)
    why = f"  ({step.resource.why})" if step.resource.why else ""
    yield Line(f"{mark} {step.resource.id}{why}", style)
    if entry is not None and entry.sha256 == step.resource.sha256:
        word = "found" if entry.found else "applied"
        yield Line(f"    {word} on {entry.applied_at}, and changed since", _LEFT)
    for change in step.changes:
        yield from _change_lines(change)


def _change_lines(change: Change) -> Iterator[Line]:
    if change.have is not None:
        yield Line(f"    - {change.key}: {change.have}", _BEFORE)
    why = f"  ({change.why})" if change.why else ""
    yield Line(f"    + {change.key}: {change.want}{why}", _NEW)


def _left_lines(left: LeftAlone) -> Iterator[Line]:
    yield Line(f"! {left.resource}: {left.what}", _LEFT)
    yield Line(f"    left alone; {left.way_out}")


def done_line(done: Done) -> Line:
    """One step that was done."""
    mark = "+" if done.step.new else "~"
    return Line(f"{mark} {done.step.resource.id}  {1000 * done.seconds:.0f} ms", _NEW)


def plan_json(plan: Plan) -> dict[str, Any]:
    """The same for programs."""
    found, history = plan
    return {
        "changes": len(found.steps),
        "steps": [_step_json(step, history) for step in found.steps],
        "left_alone": [left._asdict() for left in found.left_alone],
        "right": [_resource_json(resource, history) for resource in found.right],
    }


def done_json(done: Done) -> dict[str, Any]:
    """One step that was done."""
    return {**_step_json(done.step, {}), "seconds": round(done.seconds, 6)}


def _step_json(step: Step, history: Mapping[str, Entry]) -> dict[str, Any]:
    return {
        **_resource_json(step.resource, history),
        "new": step.new,
        "why": step.resource.why,
        "changes": [change._asdict() for change in step.changes],
    }


def _resource_json(resource: Resource, history: Mapping[str, Entry]) -> dict[str, Any]:
    entry = history.get(resource.id)
    return {
        "resource": resource.id,
        "kind": resource.kind.value,
        "name": resource.name,
        "sha256": resource.sha256,
        "applied_at": entry.applied_at if entry and entry.sha256 == resource.sha256 else None,
    }
