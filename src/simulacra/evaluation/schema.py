"""The layout of a stored verdict as JSON Schema, for other people's programs."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from .verdict import SCHEMA_VERSION, Verdict

__all__ = ["verdict_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def verdict_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what :meth:`Verdict.to_json` writes.

    Derived from the dataclasses, so it cannot fall behind them. A number may be null where it is
    not finite. *It cannot see* what numbers mean together: that a histogram has one value less
    than edges, for example.

    Example:
        >>> schema = verdict_schema()
        >>> schema["properties"]["seed"]
        {'type': 'integer'}
        >>> sorted(schema["$defs"])[:3]
        ['ClassifierRecord', 'Curve', 'Diagnosis']
    """
    parts: dict[str, dict[str, Any]] = {}
    top = _object(Verdict, parts)
    top["properties"]["schema"] = {"const": SCHEMA_VERSION}
    return {
        "$schema": _DIALECT,
        "title": "simulacra verdict",
        **top,
        "$defs": {name: parts[name] for name in sorted(parts)},
    }


def _object(kind: type[Any], parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Describe a dataclass; the dataclasses inside it are added to ``parts``."""
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind)
    return {
        "type": "object",
        "description": (inspect.getdoc(kind) or "").partition("\n")[0],
        "properties": {field.name: _value(hints[field.name], parts) for field in fields},
        "required": [field.name for field in fields],
        "additionalProperties": False,
    }


def _value(hint: Any, parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        if hint.__name__ not in parts:
            parts[hint.__name__] = {}  # keeps its place while it is described
            parts[hint.__name__] = _object(hint, parts)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_value(part, parts) for part in get_args(hint)]}
    if origin is tuple:
        return _array(get_args(hint), parts)
    if origin is Mapping or hint is dict:
        _, inside = get_args(hint) or (str, Any)
        return {"type": "object", **_inside(inside, parts)}
    return dict(_PLAIN[hint])


def _array(inside: tuple[Any, ...], parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if inside[-1] is Ellipsis:
        return {"type": "array", "items": _value(inside[0], parts)}
    length = len(inside)
    items = _value(inside[0], parts)
    return {"type": "array", "items": items, "minItems": length, "maxItems": length}


def _inside(hint: Any, parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {} if hint is Any else {"additionalProperties": _value(hint, parts)}


_PLAIN: dict[Any, dict[str, Any]] = {
    float: {"type": ["number", "null"]},  # null where the number is not finite
    int: {"type": "integer"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
}
