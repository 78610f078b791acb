"""300 bad and odd values over all inputs: each is refused in one line, or is one that a run can be planned with."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import REPOSITORY
from randsparse import questions
from randsparse.data import catalogue
from randsparse.errors import StudyError
from randsparse.runs import feasibility
from randsparse.runs.config import DEFAULTS, RunConfig
from randsparse.runs.store import Store
from randsparse.study import parameters, recipes

FEW = settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 2, 0.5, -0.5, 1e-300, 1e308, 10**400, -(10**400), 2**70, float("nan"), float("inf")]),
    st.integers(),
    st.floats(),
)
TEXTS = st.one_of(
    st.sampled_from(["", "a b", "²", "wrn-99999994-1", "wrn-10-²", "../..", "\0", "nan"]), st.text(max_size=8)
)
SIMPLE = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.one_of(SIMPLE, st.lists(SIMPLE, max_size=3), st.dictionaries(TEXTS, SIMPLE, max_size=2))
NOTEBOOKS = list(questions.ROOMS)
WORDS = st.one_of(TEXTS, st.sampled_from(["erk", "node", "dense", "digits", "rigl", "nodes 80 %", "wrn-10-1"]))
ODD = st.sampled_from([-3, -1, 0, 1, 2, 3, 7, 10**8])
SHARES = st.sampled_from([-0.5, 0.0, 1e-9, 0.1, 0.5, 0.999999, 1.0, 1.5, float("nan"), float("inf")])
OF_TYPE = {"bool": st.booleans(), "int": ODD, "float": SHARES, "str": WORDS, "None": st.none()}


def of_type(hint: str) -> st.SearchStrategy:
    """Return odd values of a parameter's own type, which only its plan can refuse."""
    if " | " in hint:
        return st.one_of(*(of_type(each) for each in hint.split(" | ")))
    if hint.startswith("list["):
        return st.lists(of_type(hint[5:-1]), max_size=3)
    if hint.startswith("dict["):
        key, _, item = hint[5:-1].partition(", ")
        return st.dictionaries(of_type(key), of_type(item), max_size=2)
    return OF_TYPE[hint]


def one_line(error: StudyError) -> bool:
    return "\n" not in str(error) and 0 < len(str(error)) < 2000


@FEW
@given(st.dictionaries(st.sampled_from(sorted(DEFAULTS)), VALUES, min_size=1, max_size=3))
def test_fields_of_a_run(values):
    try:
        config = RunConfig(**values)
    except StudyError as error:
        assert one_line(error)
        return
    assert RunConfig.from_dict(config.to_dict()) == config and len(config.key) == 16
    feasibility.explain_infeasible(config, *catalogue.shape(config.dataset))


@FEW
@given(st.data(), st.sampled_from(NOTEBOOKS), st.integers(0, 60))
def test_parameters_of_a_notebook(tmp_path_factory, data, name, place):
    declared = parameters.read(name, REPOSITORY)
    chosen = list(declared)[place % len(declared)]
    value = data.draw(st.one_of(VALUES, of_type(declared[chosen].type), of_type(declared[chosen].type)))
    try:
        values = parameters.check(declared, parameters.read_overrides(name, "tiny", REPOSITORY) | {chosen: value})
        values = parameters.complete(values, REPOSITORY)
        questions.plan_evaluations(name, values)
        compared = questions.compare(name, values)
    except StudyError as error:
        assert one_line(error)
        return
    compared.needed(Store(tmp_path_factory.mktemp("store")))


@FEW
@given(
    st.dictionaries(st.sampled_from(["recipe", "runs", "x"]), VALUES, max_size=2), st.binary(max_size=20), st.booleans()
)
def test_recipe_files(tmp_path_factory, content, tail, plain):
    path = tmp_path_factory.mktemp("recipes") / "recipe.yaml"
    path.write_bytes(yaml.safe_dump(content).encode() + (b"" if plain else tail))
    try:
        recipes.read(path)
    except StudyError as error:
        assert one_line(error)


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a: {b: 1, b: 2}\n", "a: [\n", "\xff\xfe", "? {a: 1}\n: 2\n"])
def test_a_file_that_cannot_be_used_is_named(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(StudyError, match="^recipe .*recipe.yaml is not YAML") as caught:
        recipes.read(path)
    assert one_line(caught.value)


@pytest.mark.parametrize(
    "runs, words",
    [
        ("{sparsity: []}", "sparsity=.* one value or more"),
        (f"{{mask_seed: {list(range(300))}, init_seed: {list(range(300))}}}", "runs=90000 .* at most 10000"),
        ("{epochs: .inf}", "epochs=inf is a float: it must be a whole number"),
        ("{seed: .nan}", "_seed=nan is a float: it must be a whole number"),
        ("{milestones: [a]}", "milestones=.* a list of numbers"),
        ("{lr: .inf}", "lr=inf is a float: it must be a finite number"),
        ("{epochs: 1" + "0" * 400 + "}", "epochs=1.* whole number"),
    ],
)
def test_recipes_with_impossible_values(tmp_path, runs, words):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"runs: [{runs}]\n")
    with pytest.raises(StudyError, match=words) as caught:
        recipes.read(path)
    assert one_line(caught.value)
