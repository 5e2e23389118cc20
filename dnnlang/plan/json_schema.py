"""As much of JSON Schema (2020-12) as plan.schema.json uses, compiled once into functions.

A problem comes with the path to what is wrong. Only the schema that ships is ever compiled, so a keyword that is not
known here is a mistake of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from dnnlang.errors import InternalError
from dnnlang.plan.json_positions import Path

Problem = tuple[Path, str]
"""Where, and what. A path that ends in a key that is not in the object blames the object."""
Check = Callable[[Any], list[Problem]]

FINE: Final[list[Problem]] = []

_TYPES: Final[Mapping[str, tuple[type, str]]] = {
    "object": (dict, "an object"),
    "array": (list, "an array"),
    "string": (str, "a string"),
    "integer": (int, "an integer"),
    "boolean": (bool, "true or false"),
    "null": (type(None), "null"),
}
_SILENT: Final = frozenset(("$schema", "$id", "$defs", "$comment", "title", "description"))


@cache
def schema() -> dict[str, Any]:
    """The schema that ships with the package."""
    text = files("dnnlang.plan").joinpath("plan.schema.json").read_text(encoding="utf-8")
    made: dict[str, Any] = json.loads(text)
    return made


def problems(value: Any) -> list[Problem]:
    """Where `value` is not what the schema says."""
    return _compiled()(value)


@cache
def _compiled() -> Check:
    return _Compiler(schema()).check(schema())


class _Compiler:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._definitions: dict[str, Check] = {}

    def check(self, schema: Mapping[str, Any]) -> Check:
        checks = [self._keyword(name, schema) for name in schema if name not in _SILENT and name not in _TOGETHER]
        if "properties" in schema or "required" in schema or "additionalProperties" in schema:
            checks.append(self._object(schema))
        if "minItems" in schema or "maxItems" in schema or "items" in schema:
            checks.append(self._array(schema))
        if not checks:
            return lambda value: FINE
        return checks[0] if len(checks) == 1 else _first_of(checks)

    def _keyword(self, name: str, schema: Mapping[str, Any]) -> Check:
        make = getattr(self, f"_{name.lstrip('$').lower()}", None)
        if make is None:
            raise InternalError(f"the schema of plans uses `{name}`, which is not known here")
        made: Check = make(schema[name])
        return made

    # ------------------------------------------------------------ of any value

    def _ref(self, reference: str) -> Check:
        name = reference.rsplit("/", 1)[1]
        if name not in self._definitions:
            self._definitions[name] = lambda value: self._definitions[name](value)  # a definition may use itself
            self._definitions[name] = self.check(self._root["$defs"][name])
        return self._definitions[name]

    def _type(self, wanted: str | list[str]) -> Check:
        kinds = [wanted] if isinstance(wanted, str) else wanted
        types = tuple(_TYPES[kind][0] for kind in kinds)
        words = " or ".join(_TYPES[kind][1] for kind in kinds)

        def check(value: Any) -> list[Problem]:
            if isinstance(value, types) and ((value is not True and value is not False) or bool in types):
                return FINE
            return [((), f"{_shown(value)} stands where {words} should")]

        return check

    def _const(self, wanted: Any) -> Check:
        return self._enum([wanted])

    def _enum(self, wanted: list[Any]) -> Check:
        words = ", ".join(json.dumps(each, ensure_ascii=False) for each in wanted)

        def check(value: Any) -> list[Problem]:
            if any(type(value) is type(each) and value == each for each in wanted):
                return FINE
            return [((), f"{_shown(value)} is not {'one of ' if len(wanted) > 1 else ''}{words}")]

        return check

    def _anyof(self, schemas: list[Mapping[str, Any]]) -> Check:
        checks = [self.check(each) for each in schemas]

        def check(value: Any) -> list[Problem]:
            found = FINE
            for each in checks:
                problems = each(value)
                if not problems:
                    return FINE
                found = found or problems
            return found

        return check

    def _allof(self, schemas: list[Mapping[str, Any]]) -> Check:
        """Only the form by which attributes depend on the operation: if one property is a constant, then …"""
        cases: dict[str, Check] = {}
        name = ""
        for each in schemas:
            ((name, condition),) = each["if"]["properties"].items()
            cases[condition["const"]] = self.check(each["then"])

        def check(value: Any) -> list[Problem]:
            case = value.get(name) if isinstance(value, dict) else None
            return cases[case](value) if isinstance(case, str) and case in cases else FINE

        return check

    # ------------------------------------------------------------ of numbers and strings

    def _minimum(self, least: int) -> Check:
        def check(value: Any) -> list[Problem]:
            if isinstance(value, int) and value < least:
                return [((), f"{_shown(value)} is less than {least}")]
            return FINE

        return check

    def _pattern(self, pattern: str) -> Check:
        compiled = re.compile(pattern.replace("$", r"\Z"))

        def check(value: Any) -> list[Problem]:
            if isinstance(value, str) and compiled.search(value) is None:
                return [((), f"{_shown(value)} is not of the form {pattern}")]
            return FINE

        return check

    def _maxlength(self, most: int) -> Check:
        def check(value: Any) -> list[Problem]:
            if isinstance(value, str) and len(value) > most:
                return [((), f"a string of {len(value):,} characters; {most:,} are allowed")]
            return FINE

        return check

    # ------------------------------------------------------------ of objects and arrays

    def _object(self, schema: Mapping[str, Any]) -> Check:
        known = {name: self.check(each) for name, each in schema.get("properties", {}).items()}
        rest = schema.get("additionalProperties", True)
        others = self.check(rest) if isinstance(rest, dict) else None
        required = frozenset(schema.get("required", ()))

        def check(value: Any) -> list[Problem]:
            if not isinstance(value, dict):
                return FINE
            found: list[Problem] = []
            if not required <= value.keys():
                found += [((), f"`{name}` is missing") for name in schema["required"] if name not in value]
            for name, item in value.items():
                each = known.get(name, others)
                if each is not None:
                    found += [((name, *path), message) for path, message in each(item)]
                elif rest is False:
                    found.append(((name,), f"{json.dumps(name, ensure_ascii=False)} does not belong here"))
            return found

        return check

    def _array(self, schema: Mapping[str, Any]) -> Check:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        items = self.check(schema.get("items", {}))

        def check(value: Any) -> list[Problem]:
            if not isinstance(value, list):
                return FINE
            if len(value) < least or (most is not None and len(value) > most):
                wanted = str(least) if least == most else f"at least {least}"
                return [((), f"{len(value)} items, where there should be {wanted}")]
            found: list[Problem] = []
            for number, item in enumerate(value):
                found += [((number, *path), message) for path, message in items(item)]
            return found

        return check


_TOGETHER: Final = frozenset(("properties", "required", "additionalProperties", "minItems", "maxItems", "items"))


def _first_of(checks: list[Check]) -> Check:
    """What the first of them finds that finds anything."""

    def check(value: Any) -> list[Problem]:
        for each in checks:
            found = each(value)
            if found:
                return found
        return FINE

    return check


def _shown(value: Any) -> str:
    """The value in a few characters."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}…"
