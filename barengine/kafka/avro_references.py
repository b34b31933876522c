"""A schema that names types of other schemas becomes one that holds them itself.

A definition stands where its name is met first; from there on the name is enough. Names follow
https://avro.apache.org/docs/1.12.0/specification/#names
"""

from __future__ import annotations

from typing import Any, Final

Named = dict[str, Any]
"""Referenced schemas by the full name of the type that each defines."""

_NAMED_TYPES: Final = ("record", "error", "enum", "fixed")


def inline(schema: Any, named: Named) -> Any:
    """``schema`` with each of the ``named`` types put in where it is used first."""
    return _Inliner(named).walk(schema, "")


class _Inliner:
    def __init__(self, named: Named) -> None:
        self._named = named
        self._done: set[str] = set()

    def walk(self, schema: Any, namespace: str) -> Any:
        if isinstance(schema, str):
            return self._name(schema, namespace)
        if isinstance(schema, list):
            return [self.walk(branch, namespace) for branch in schema]
        if not isinstance(schema, dict):
            return schema
        if schema.get("type") in _NAMED_TYPES:
            return self._definition(schema, namespace)
        return {
            key: self.walk(value, namespace) if key in ("type", "items", "values") else value
            for key, value in schema.items()
        }

    def _name(self, name: str, namespace: str) -> Any:
        full = f"{namespace}.{name}" if namespace and "." not in name else name
        # A type without a namespace cannot be named from inside one; registries accept it.
        for candidate in (full, name):
            if candidate in self._done:
                return candidate
            if candidate in self._named:
                return self.walk(self._named[candidate], "")
        return name

    def _definition(self, schema: dict[str, Any], outer: str) -> dict[str, Any]:
        name = str(schema.get("name", ""))
        simple = name.rpartition(".")[2]
        # In the definition of a referenced type no namespace means none, wherever it is put.
        namespace = name.rpartition(".")[0] or schema.get("namespace", outer) or ""
        self._done.add(f"{namespace}.{simple}" if namespace else simple)
        copy = {**schema, "name": simple, "namespace": namespace}
        if "fields" in schema:
            copy["fields"] = [
                {**one, "type": self.walk(one.get("type"), namespace)} for one in schema["fields"]
            ]
        return copy
