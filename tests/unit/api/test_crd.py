"""The CRDs are what the types say, and what an API server takes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from sklearn.utils import get_tags
from sklearn.utils.discovery import all_estimators
from tests.unit.api.schemas import MINIMAL, RECORD, filled, walk

from evermodel.api import crd
from evermodel.api.generated import CHECKOUT, main, stale
from evermodel.api.modeldeployment import REGRESSORS, Estimator, ModelDeploymentSpec, ModelDeploymentStatus, Transformer
from evermodel.api.modelversion import ModelVersionSpec, ModelVersionStatus
from evermodel.api.rules import (
    FIELD_RULES,
    STRUCT_RULES,
    data,
    ensembles,
    evaluation,
    serving,
    template,
    training,
    upkeep,
    whole,
)
from evermodel.api.rules.data import BUNDLED
from evermodel.api.rules.rule import fraction_rules
from evermodel.api.schema import LIST_KINDS
from evermodel_runtime.data.bundled import LOADERS
from evermodel_runtime.train.transformers import TRANSFORMERS, make_transformer

KINDS = [pytest.param(kind, id=kind.name) for kind in crd.KINDS]
KUSTOMIZATION = CHECKOUT / "crds" / "kustomization.yaml"
SIZE_LIMIT = 200 * 1024


def schema_of(kind: crd.Kind) -> dict[str, Any]:
    return crd.object_schema(kind)


def test_the_files_are_what_the_types_say() -> None:
    assert stale(crd.files(), CHECKOUT) == [], "run `python -m evermodel.api.crd`"


def test_kustomize_installs_each_of_the_files() -> None:
    assert yaml.safe_load(KUSTOMIZATION.read_text())["resources"] == [path.name for path in crd.files()]


def test_check_fails_for_a_file_that_differs_and_writing_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = crd.files()
    run = ("python -m evermodel.api.crd", files)
    assert main(*run, ["--check", "--root", str(tmp_path)]) == 1
    assert main(*run, ["--root", str(tmp_path)]) == 0
    assert main(*run, ["--check", "--root", str(tmp_path)]) == 0
    changed = tmp_path / next(iter(files))
    changed.write_text(changed.read_text() + "\n")
    capsys.readouterr()
    assert main(*run, ["--check", "--root", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"{next(iter(files))} is out of date: run `python -m evermodel.api.crd`\n"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_stays_small_and_is_read_back_as_it_was_meant(kind: crd.Kind) -> None:
    text = crd.render(kind)
    assert len(text.encode()) < SIZE_LIMIT
    assert yaml.safe_load(text) == crd.definition(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_structural(kind: crd.Kind) -> None:
    for path, schema in walk(schema_of(kind)):
        assert not {"$ref", "oneOf", "allOf", "not", "nullable", "definitions", "title"} & schema.keys(), path
        assert ("type" in schema) != ("x-kubernetes-int-or-string" in schema), path
        assert ("anyOf" in schema) == ("x-kubernetes-int-or-string" in schema), path
        assert ("items" in schema) == (schema.get("type") == "array"), path
        assert not ("properties" in schema and "additionalProperties" in schema), path
        assert set(schema.get("required", ())) <= set(schema.get("properties", ())), path


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_a_person_writes_is_bounded(kind: crd.Kind) -> None:
    for path, schema in walk(schema_of(kind)["properties"]["spec"]):
        match schema.get("type"):
            case "string":
                assert "enum" in schema or "maxLength" in schema, path
            case "array":
                assert "maxItems" in schema, path
            case "object" if "properties" not in schema:
                assert "maxProperties" in schema, path


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind: crd.Kind) -> None:
    for name in ("spec", "status"):
        for path, schema in walk(schema_of(kind)["properties"][name], name):
            for field, below in schema.get("properties", {}).items():
                description = below.get("description", "")
                assert re.search(r"\w.*[.]$", description), f"{path}.{field}: {description!r}"


@pytest.mark.parametrize(
    ("kind", "part", "struct", "given"),
    [
        pytest.param(crd.MODEL_DEPLOYMENT, "spec", ModelDeploymentSpec, MINIMAL, id="spec of a ModelDeployment"),
        pytest.param(crd.MODEL_DEPLOYMENT, "status", ModelDeploymentStatus, {}, id="status of a ModelDeployment"),
        pytest.param(crd.MODEL_VERSION, "spec", ModelVersionSpec, RECORD, id="spec of a ModelVersion"),
        pytest.param(crd.MODEL_VERSION, "status", ModelVersionStatus, {}, id="status of a ModelVersion"),
    ],
)
def test_schema_and_struct_have_the_same_defaults(
    kind: crd.Kind, part: str, struct: type[msgspec.Struct], given: Mapping[str, Any]
) -> None:
    stored = filled(schema_of(kind)["properties"][part], given)
    decoded = msgspec.convert(given, struct)
    assert msgspec.convert(stored, struct) == decoded
    assert stored == written_out(decoded)


def written_out(struct: msgspec.Struct) -> dict[str, Any]:
    """Return all fields of a struct but the empty ones, at any depth."""
    result: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if isinstance(value, msgspec.Struct):
            value = written_out(value)
        if value is not None and value not in ("", (), {}):
            result[field.encode_name] = value.value if isinstance(value, Enum) else value
    return result


def test_a_new_object_has_a_status_that_says_not_seen_yet() -> None:
    new = filled(schema_of(crd.MODEL_DEPLOYMENT), {"spec": MINIMAL})
    assert new["status"]["observedGeneration"] == -1
    assert new["status"]["phase"] == "Pending"


@pytest.mark.parametrize("key", [*FIELD_RULES, *LIST_KINDS], ids=lambda key: f"{key[0].__name__}.{key[1]}")
def test_what_is_said_about_a_field_names_a_field(key: tuple[type[msgspec.Struct], str]) -> None:
    struct, name = key
    assert name in [field.encode_name for field in msgspec.structs.fields(struct)]


def test_each_rule_is_in_the_schema_and_says_what_to_do() -> None:
    found = {
        rule["rule"]: rule["message"]
        for _, schema in walk(schema_of(crd.MODEL_DEPLOYMENT))
        for rule in schema.get("x-kubernetes-validations", ())
    }
    rules = [rule for several in (*FIELD_RULES.values(), *STRUCT_RULES.values()) for rule in several]
    assert {rule.rule for rule in rules} <= found.keys()
    # The API server shows the message behind "Invalid value:"; a line break would end it there.
    assert all(message and "\n" not in message and not message.endswith(".") for message in found.values())


@pytest.mark.parametrize(
    ("schema", "rule", "message"),
    [
        pytest.param(
            {"minimum": 0.05, "maximum": 0.5},
            "self >= 0.05 && self <= 0.5",
            "must be at least 0.05 and at most 0.5",
            id="both",
        ),
        pytest.param(
            {"minimum": 0, "maximum": 0.5, "exclusiveMaximum": True},
            "self >= 0.0 && self < 0.5",
            "must be at least 0 and below 0.5",
            id="one is whole",
        ),
        pytest.param({"minimum": 0.5, "exclusiveMinimum": True}, "self > 0.5", "must be above 0.5", id="one alone"),
    ],
)
def test_bounds_that_are_fractions_become_a_rule(schema: Mapping[str, Any], rule: str, message: str) -> None:
    (made,) = fraction_rules(schema)
    assert (made.rule, made.message) == (rule, message)
    assert schema.keys() <= made.instead_of


def test_whole_bounds_stay_keywords() -> None:
    assert fraction_rules({"minimum": 0, "maximum": 1, "exclusiveMaximum": True}) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_no_keyword_of_a_schema_is_a_fraction(kind: crd.Kind) -> None:
    # Kubernetes 1.37 cuts such a bound to a whole number when the value is written as one.
    for path, schema in walk(schema_of(kind)):
        assert all(float(schema.get(bound, 0)).is_integer() for bound in ("minimum", "maximum")), path


@pytest.mark.parametrize("kind", KINDS)
def test_each_column_shows_a_field_that_exists(kind: crd.Kind) -> None:
    paths = {path for path, _ in walk(schema_of(kind))}
    for column in kind.columns:
        path = re.sub(r"\[\?\(@\.type==\"(\w+)\"\)\]", "[*]", column.path)
        assert path in paths or path == ".metadata.creationTimestamp", column.name


@pytest.mark.filterwarnings("ignore:Class PassiveAggressive:FutureWarning")
def test_the_estimators_are_all_of_scikit_learn_that_are_not_made_of_others_and_predict_one_target() -> None:
    classifiers, regressors = (
        [name for name, kind in all_estimators(type_filter=task) if not needs_others(kind) and has_one_target(kind)]
        for task in ("classifier", "regressor")
    )
    assert [estimator.value for estimator in Estimator] == sorted(classifiers) + sorted(regressors)
    assert [estimator.value for estimator in REGRESSORS] == sorted(regressors)


def has_one_target(kind: type) -> bool:
    single: bool = get_tags(kind()).target_tags.single_output
    return single


def needs_others(kind: type) -> bool:
    """Whether other estimators have to be given; SelfTrainingClassifier says so only when it is fitted."""
    parameters = inspect.signature(kind).parameters.values()
    needed = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    return bool(needed) or kind.__name__ == "SelfTrainingClassifier"


def test_the_transformers_are_those_that_the_runtime_makes() -> None:
    assert {transformer.value for transformer in Transformer} == TRANSFORMERS.keys()
    for name in TRANSFORMERS:
        assert callable(make_transformer(name, {}, 0).transform)


def test_the_bundled_data_sets_are_those_that_the_runtime_loads() -> None:
    assert set(BUNDLED) == LOADERS.keys()


def test_rules_of_one_thing_stand_in_one_module() -> None:
    fields = [part.FIELD_RULES for part in (data, ensembles, evaluation, template, training, upkeep)]
    structs = [part.STRUCT_RULES for part in (data, ensembles, evaluation, serving, training, upkeep, whole)]
    assert sum(map(len, fields)) == len(FIELD_RULES), "a later module would replace the rules of an earlier one"
    assert sum(map(len, structs)) == len(STRUCT_RULES), "a later module would replace the rules of an earlier one"
