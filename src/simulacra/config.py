"""Configurations: typed, frozen, strict on the way in, complete on the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import ConfigError, UnknownFieldError

__all__ = ["Config", "apply_settings", "load_yaml"]

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Base of every configuration.

    Unknown keys are refused with a suggestion, values are checked and never coerced in
    silence, instances cannot be changed (derive one with :meth:`updated`), and
    ``from_dict(to_dict(c)) == c``.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
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
            return cls.model_validate(dict(raw))
        except ValidationError as error:
            raise _translated(cls, error) from None

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
        return yaml.safe_dump(self.to_dict(), sort_keys=False)


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping of plain data.

    Raises:
        ConfigError: if the file cannot be read, is not YAML, asks for Python objects, or is
            not one mapping.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a text file ({error}).") from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"{path}: expected YAML made of plain data (numbers, strings, lists, mappings), "
            f"found something else: {reason}"
        ) from None
    if not isinstance(raw, dict):
        raise ConfigError(
            f"{path}: expected one mapping of settings, found {type(raw).__name__}."
        )
    return raw


def apply_settings(config: C, settings: Sequence[str]) -> C:
    """Change single fields by ``section.key=value``, as the command line's ``--set`` does.

    Args:
        config: the configuration to start from.
        settings: assignments whose left side is a dotted path and whose right side is YAML.

    Returns:
        A new configuration of the same type.

    Raises:
        ConfigError: if an assignment has no ``=`` or a value does not fit its field.
        UnknownFieldError: if the path names a field that does not exist.
    """
    raw = config.to_dict()
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
        if key not in place:
            raise UnknownFieldError(owner, key, place)
        try:
            place[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"the value in {setting!r} is not plain data.") from None
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
    where = ".".join(str(part) for part in first["loc"])
    return ConfigError(f"`{cls.__name__}.{where}`: {first['msg']}; found {first['input']!r}.")


def _owner(cls: type[BaseModel], sections: list[str]) -> type[BaseModel] | None:
    """Follow a path of sections to the model that owns its last field."""
    owner: type[BaseModel] | None = cls
    for section in sections:
        if owner is None:
            return None
        field = owner.model_fields.get(section)
        if field is None:  # the tag of a discriminated union
            if section in _models_by_name(owner):
                owner = _models_by_name(owner)[section]
            continue
        models = _models(field.annotation)
        owner = models[0] if len(models) == 1 else next(iter(models), None)
    return owner


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _models_by_name(owner: type[BaseModel]) -> dict[str, type[BaseModel]]:
    found: dict[str, type[BaseModel]] = {}
    for field in owner.model_fields.values():
        for model in _models(field.annotation):
            found[model.__name__] = model
    return found
