"""Configurations: typed, frozen, strict on the way in, complete on the way out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from .errors import ConfigError, UnknownFieldError

__all__ = ["Config", "apply_settings", "load_yaml"]

C = TypeVar("C", bound="Config")

_TAG = "family"  # the field that tells the members of a union from each other


class Config(BaseModel):
    """Base of every configuration.

    Unknown keys are refused with a suggestion, values are checked and never coerced in
    silence, instances cannot be changed (derive one with :meth:`updated`), and
    ``from_dict(to_dict(c)) == c``.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False
    )

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Build from plain data.

        Raises:
            UnknownFieldError: if a key is not a field, with the closest field's name.
            ConfigError: if a value does not fit its field.
        """
        if not isinstance(raw, Mapping):
            raise ConfigError(
                f"`{cls.__name__}`: expected a mapping of fields, found {type(raw).__name__}."
            )
        try:
            # By way of JSON, because its lists may fill tuples while "3" still is no number.
            return cls.model_validate_json(to_json(dict(raw), inf_nan_mode="constants"))
        except ValidationError as error:
            raise _translated(cls, error) from None
        except (PydanticSerializationError, RecursionError) as error:
            raise ConfigError(
                f"`{cls.__name__}`: expected plain data (numbers, strings, lists, mappings), "
                f"found something else: {error}."
            ) from None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data (numbers, strings, lists, dicts) that rebuilds this object."""
        return self.model_dump(mode="json")

    def updated(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, checked like a new object."""
        return self.from_dict({**self.to_dict(), **changes})

    @classmethod
    def from_yaml(cls, path: Path | str) -> Self:
        """Read a configuration that was stored as YAML; only plain data is accepted."""
        return cls.from_dict(load_yaml(Path(path)))

    def to_yaml(self) -> str:
        """Return the YAML spelling of this configuration."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)


class _PlainLoader(yaml.SafeLoader):
    """YAML as people expect it: ``1e-3`` is a number, no key stands twice, no references."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("a reference (`*name`); write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.YAMLError(f"`{twice[0]}` is given twice")
        return super().construct_mapping(node, deep)


# YAML 1.1 wants a dot and a sign in the exponent; YAML 1.2 and everybody else do not.
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def _plain(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_PlainLoader)  # a SafeLoader: plain data only
    except RecursionError:
        raise yaml.YAMLError("too many levels") from None


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping of plain data.

    Raises:
        ConfigError: if the file cannot be read, is not YAML, asks for Python objects, or is
            not one mapping.
    """
    try:
        raw = _plain(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a text file ({error}).") from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"{path}: expected YAML made of plain data (numbers, strings, lists, mappings), "
            f"found something else: {reason}"
        ) from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected one mapping of settings, found {type(raw).__name__}.")
    return raw


def apply_settings(config: C, settings: Sequence[str]) -> C:
    """Change single fields by ``section.key=value``, as the command line's ``--set`` does.

    Args:
        config: the configuration to start from.
        settings: assignments whose left side is a dotted path and whose right side is YAML. One
            that changes a section's ``family`` sets the rest of the section to that family's
            defaults; later ones may change its fields.

    Returns:
        A new configuration of the same type.

    Raises:
        ConfigError: if an assignment has no ``=`` or a value does not fit its field.
        UnknownFieldError: if the path names a field that does not exist.
    """
    raw, anew = config.to_dict(), set[int]()
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"expected a setting `section.key=value`, found {setting!r}.")
        *sections, key = path.strip().split(".")
        place, owner = raw, type(config).__name__
        for section in sections:
            if section not in place:
                raise UnknownFieldError(owner, section, place)
            if not isinstance(place[section], dict):
                raise ConfigError(f"`{owner}.{section}` is a value, not a section; in {setting!r}.")
            place, owner = place[section], section
        chosen = id(place) in anew
        if key not in place and not chosen:
            raise UnknownFieldError(owner, key, place)
        try:
            value = _plain(text)
        except yaml.YAMLError:
            raise ConfigError(f"the value in {setting!r} is not plain data.") from None
        if key == _TAG and value != place[key]:
            place.clear()  # another kind of section has other fields: begin with its defaults
            anew.add(id(place))
        place[key] = value
    return type(config).from_dict(raw)


def _translated(cls: type[BaseModel], error: ValidationError) -> ConfigError:
    """Turn pydantic's report into our sentence; an unknown field is reported first."""
    problems = error.errors()
    for problem in problems:
        if problem["type"] == "extra_forbidden":
            *sections, name = [str(part) for part in problem["loc"]]
            owner = _owner(cls, sections)
            known = owner.model_fields if owner else ()
            return UnknownFieldError(owner.__name__ if owner else cls.__name__, name, known)
    first = problems[0]
    where = ".".join([cls.__name__, *(str(part) for part in first["loc"])])
    if isinstance(first["input"], Mapping):  # several fields together are wrong
        return ConfigError(f"`{where}`: {first['msg'].removeprefix('Value error, ')}.")
    return ConfigError(f"`{where}`: {first['msg']}; found {first['input']!r}.")


def _owner(cls: type[BaseModel], sections: list[str]) -> type[BaseModel] | None:
    """Follow a path of sections, union tags, indices and keys to the model that owns its end."""
    owners = [cls]
    for section in sections:
        deeper = [
            model
            for owner in owners
            if section in owner.model_fields
            for model in _models(owner.model_fields[section].annotation)
        ]
        tagged = [owner for owner in owners if section in {owner.__name__, *_tags(owner)}]
        owners = deeper or tagged or owners
    return owners[0] if owners else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _tags(model: type[BaseModel]) -> set[str]:
    """Return the values by which a union may tell this model from the others."""
    fields = [field.annotation for field in model.model_fields.values()]
    return {str(tag) for kind in fields if get_origin(kind) is Literal for tag in get_args(kind)}
