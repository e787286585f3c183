"""Configurations: nothing silent, and files say the same as objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from simulacra.config import Config, apply_settings, load_yaml
from simulacra.errors import ConfigError, UnknownFieldError


class Optimiser(Config):
    learning_rate: float = 1e-3
    steps: int = 100


class Euler(Config):
    kind: Literal["euler"] = "euler"
    steps: int = 8


class Adaptive(Config):
    kind: Literal["adaptive"] = "adaptive"
    tolerance: float = Field(1e-4, gt=0)


class Recipe(Config):
    name: str = "photons"
    widths: tuple[int, ...] = (64, 64)
    ema: bool = True
    optimiser: Optimiser = Optimiser()
    sampler: Annotated[Euler | Adaptive, Field(discriminator="kind")] = Euler()
    stages: tuple[Optimiser, ...] = ()
    scales: dict[str, float] = Field(default_factory=dict)


CHANGED = Recipe(
    name="pions",
    widths=(1, 2, 3),
    optimiser=Optimiser(learning_rate=3e-5),
    sampler=Adaptive(tolerance=1e-7),
    stages=(Optimiser(), Optimiser(steps=3)),
    scales={"energy": 1e3},
)


@pytest.mark.parametrize("config", [Recipe(), CHANGED])
def test_plain_data_rebuilds_the_same_object(config: Recipe) -> None:
    assert Recipe.from_dict(config.to_dict()) == config


def test_yaml_rebuilds_the_same_object(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(CHANGED.to_yaml())
    assert Recipe.from_yaml(path) == CHANGED


def test_a_configuration_cannot_be_changed_only_derived() -> None:
    recipe = Recipe()
    with pytest.raises(ValidationError):
        recipe.name = "other"  # type: ignore[misc]
    derived = recipe.updated(name="other", optimiser=Optimiser(steps=7))
    assert (derived.name, derived.optimiser.steps, recipe.name) == ("other", 7, "photons")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"nme": "x"}, "`Recipe` has no field `nme`. Did you mean `name`?"),
        ({"optimiser": {"step": 1}}, "`Optimiser` has no field `step`. Did you mean `steps`?"),
        ({"stages": [{}, {"stps": 1}]}, "`Optimiser` has no field `stps`."),
        (
            {"sampler": {"kind": "adaptive", "steps": 3}},
            "`Adaptive` has no field `steps`. It has: kind, tolerance.",
        ),
    ],
)
def test_a_typing_slip_names_the_field_that_was_meant(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        Recipe.from_dict(raw)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "raw",
    [
        {"name": 3},
        {"ema": 1},
        {"ema": "yes"},
        {"widths": ["64"]},
        {"widths": 64},
        {"optimiser": {"steps": 1.5}},
        {"optimiser": {"steps": True}},
        {"optimiser": {"learning_rate": "0.1"}},
        {"optimiser": {"learning_rate": float("nan")}},
        {"optimiser": {"learning_rate": float("inf")}},
        {"optimiser": 3},
        {"sampler": {"kind": "leapfrog"}},
        {"sampler": {"kind": "adaptive", "tolerance": 0}},
        {"scales": {"energy": object()}},
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_never_coerced(raw: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="`Recipe"):
        Recipe.from_dict(raw)


def test_a_value_is_refused_at_creation_too() -> None:
    with pytest.raises(ValidationError):
        Optimiser(steps="3")  # type: ignore[arg-type]


@pytest.mark.parametrize("raw", [None, [], "name: x", 3])
def test_only_a_mapping_is_a_configuration(raw: Any) -> None:
    with pytest.raises(ConfigError, match="expected a mapping of fields"):
        Recipe.from_dict(raw)


@pytest.mark.parametrize(
    ("settings", "change"),
    [
        (["name=pions"], {"name": "pions"}),
        (["optimiser.learning_rate=1e-4"], {"optimiser": Optimiser(learning_rate=1e-4)}),
        (["optimiser.learning_rate=1"], {"optimiser": Optimiser(learning_rate=1.0)}),
        (["widths=[1, 2]", "ema=false"], {"widths": (1, 2), "ema": False}),
        (["sampler={kind: adaptive}"], {"sampler": Adaptive()}),
        (["name=a=b"], {"name": "a=b"}),
        ([], {}),
    ],
)
def test_settings_change_single_fields(settings: list[str], change: dict[str, Any]) -> None:
    assert apply_settings(Recipe(), settings) == Recipe().updated(**change)


@pytest.mark.parametrize(
    ("setting", "kind", "message"),
    [
        ("name", ConfigError, "expected a setting `section.key=value`"),
        ("nme=x", UnknownFieldError, "Did you mean `name`"),
        ("optimizer.steps=3", UnknownFieldError, "Did you mean `optimiser`"),
        ("optimiser.step=3", UnknownFieldError, "Did you mean `steps`"),
        ("name.length=3", ConfigError, "is a value, not a section"),
        ("optimiser.steps=many", ConfigError, "Recipe.optimiser.steps"),
        ("name=[1", ConfigError, "not plain data"),
        ("name=!!python/object:os.system x", ConfigError, "not plain data"),
    ],
)
def test_a_wrong_setting_is_refused(setting: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        apply_settings(Recipe(), [setting])


class Near(Config):
    family: Literal["near"] = "near"
    reach: float = 1.0


class Far(Config):
    family: Literal["far"] = "far"
    legs: int = 2


class Journey(Config):
    how: Annotated[Near | Far, Field(discriminator="family")] = Near(reach=3.0)


def test_another_family_begins_with_its_own_defaults() -> None:
    far = apply_settings(Journey(), ["how.family=far"])
    assert far == Journey(how=Far())
    assert apply_settings(far, ["how.family=far", "how.legs=4"]) == Journey(how=Far(legs=4))
    assert apply_settings(Journey(), ["how.family=far", "how.legs=4"]) == Journey(how=Far(legs=4))
    assert apply_settings(Journey(), ["how.family=near"]) == Journey()
    with pytest.raises(UnknownFieldError, match="Did you mean `legs`"):
        apply_settings(Journey(), ["how.family=far", "how.leg=4"])
    with pytest.raises(UnknownFieldError, match="legs"):
        apply_settings(Journey(), ["how.legs=4"])


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / "numbers.yaml"
    path.write_text("a: 1e-3\nb: 2.5E6\nc: 10\nd: .5\ne: e5\nf: 1e5x\ng: +1e+2\n")
    assert load_yaml(path) == {
        "a": 1e-3,
        "b": 2.5e6,
        "c": 10,
        "d": 0.5,
        "e": "e5",
        "f": "1e5x",
        "g": 100.0,
    }


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "a: !!python/name:os.system ''",
        "a: [1, 2",
        "- 1\n- 2",
        "just words",
        "",
        "a: 1\na: 2",
        "a: &x [1]\nb: *x",
        "a: &x [*x]",
        "\x00",
        "[" * 20_000,
    ],
)
def test_yaml_that_is_not_one_mapping_of_plain_data_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml: expected"):
        load_yaml(path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as a text file"):
        load_yaml(path)
    with pytest.raises(ConfigError, match="cannot be read as a text file"):
        load_yaml(tmp_path / "absent.yaml")
