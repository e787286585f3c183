"""The schema describes what a verdict's file holds, and refuses what it does not."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from synthetic_verdicts import full_verdict, toy_verdict, without_pictures

from simulacra.evaluation import verdict_schema

FULL = json.loads(full_verdict().to_json())
SCHEMA = verdict_schema()

KINDS = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
    "integer": int, "number": (int, float),
}  # fmt: skip


def fits(value, schema, top=SCHEMA) -> bool:
    """The part of JSON Schema that ours uses, written down once more."""
    if "$ref" in schema:
        return fits(value, top["$defs"][schema["$ref"].rpartition("/")[2]], top)
    if "anyOf" in schema:
        return any(fits(value, one, top) for one in schema["anyOf"])
    if "const" in schema:
        return value == schema["const"]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(
        isinstance(value, KINDS[k]) and not (isinstance(value, bool) and k in ("integer", "number"))
        for k in kinds
    ):
        return False
    if isinstance(value, list):
        length = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return length and all(fits(item, schema["items"], top) for item in value)
    return not isinstance(value, dict) or object_fits(value, schema, top)


def object_fits(value, schema, top) -> bool:
    known, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
    if not set(schema.get("required", [])) <= set(value):
        return False
    for name, item in value.items():
        inside = known.get(name, rest)
        if inside is False or (inside and not fits(item, inside, top)):
            return False
    return True


@pytest.mark.parametrize(
    "verdict",
    [
        toy_verdict(),
        without_pictures(toy_verdict("calochallenge-2", events=10)),
        replace(toy_verdict(), training=None, scores=(), timing={"a": {"b": [1, "c", None]}}),
    ],
)
def test_verdicts_fit(verdict):
    assert fits(json.loads(verdict.to_json()), SCHEMA)


def test_a_full_verdict_fits_and_leaves_no_part_untried():
    assert fits(FULL, SCHEMA)
    assert set(SCHEMA["$defs"]) == {
        "ClassifierRecord", "Curve", "Diagnosis", "ExampleShower", "FileInfo", "Finding",
        "Histogram", "Matrix", "MeanImage", "Profile", "Score",
    }  # fmt: skip
    assert all(FULL[name] for name in ("profiles", "matrices", "diagnoses", "findings", "size"))


def test_numbers_that_are_not_finite_are_null():
    verdict = toy_verdict()
    score = replace(verdict.scores[0], value=float("nan"), floor=None)
    plain = json.loads(replace(verdict, scores=(score,)).to_json())
    assert plain["scores"][0]["value"] is None
    assert fits(plain, SCHEMA)


def broken(path, value):
    plain = copy.deepcopy(FULL)
    *way, last = path
    inside = plain
    for step in way:
        inside = inside[step]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return plain


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("seed",), "7"),
        (("seed",), True),
        (("schema",), 1),
        (("suite",), ...),
        (("unknown",), 1),
        (("scores", 0, "value"), "0.5"),
        (("scores", 0, "layer"), 1.5),
        (("scores", 0, "colour"), "red"),
        (("histograms", 0, "reference_outside"), [0.0]),
        (("histograms", 0, "edges"), None),
        (("images", 0, "reference", 0, 0), "x"),
        (("size", "training"), 1.5),
        (("training",), {"role": "training"}),
        (("findings", 0, "sentence"), None),
    ],
)
def test_what_is_no_verdict_does_not_fit(path, value):
    assert not fits(broken(path, value), SCHEMA)


def test_the_schema_is_plain_json():
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"].endswith("2020-12/schema")


def test_a_known_checker_agrees():
    checker = pytest.importorskip("jsonschema")
    checker.Draft202012Validator.check_schema(SCHEMA)
    checker.validate(FULL, SCHEMA)
    with pytest.raises(checker.ValidationError):
        checker.validate(broken(("seed",), "7"), SCHEMA)
