from __future__ import annotations

import re

import pytest
import torch

from conftest import REPOSITORY
from randsparse import parameters

README = (REPOSITORY / "README.md").read_text()
MAKEFILE = (REPOSITORY / "Makefile").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, flags=re.MULTILINE | re.DOTALL)[1]


def test_a_mask_on_your_own_model_works_as_written(capsys):
    (source,) = blocks("python")
    assert len(source.splitlines()) <= 20
    torch.manual_seed(0)
    place = {}
    exec(compile(source, "README.md", "exec"), place)
    mask, model = place["mask"], place["model"]
    assert mask.nnz == round(0.1 * (64 * 256 + 256 * 10)) and "total" in capsys.readouterr().out
    for name, kept in mask.items():
        weight = model.get_parameter(name)
        assert (weight[~kept] == 0).all() and (weight[kept] != 0).all()
        assert (weight.grad[kept] != 0).any(), f"{name} is trained"


def test_the_documented_targets_are_those_of_make():
    documented = set(re.findall(r"^\| `make ([a-z]+)` \|", section("make"), flags=re.MULTILINE))
    assert documented == set(re.findall(r"^([a-z]+):.*  ## ", MAKEFILE, flags=re.MULTILINE))
    variables = set(re.findall(r"`([A-Z_]+)=…`", section("make")))
    assert variables == {"PROFILE", "DATA_DIR", "RESULTS", "WORKERS"}
    assert all(re.search(rf"^(ifdef {name}|{name} \?=)", MAKEFILE, flags=re.MULTILINE) for name in variables)


def test_the_documented_profiles_exist_the_default_one_first():
    documented = re.findall(r"^\| `([a-z0-9-]+)`", section("Profiles"), flags=re.MULTILINE)
    assert documented[0] == parameters.DEFAULT_PROFILE and set(documented) <= set(parameters.profiles(REPOSITORY))


def test_the_layout_names_files_that_exist():
    tree = re.search(r"^```\n(.*?)^```", section("Layout"), flags=re.MULTILINE | re.DOTALL)[1]
    folders = re.findall(r"^([a-z]+/)", tree, flags=re.MULTILINE)
    assert {"notebooks/", "lib/", "tests/"} <= set(folders)
    modules = re.findall(r"^  ([a-z_*, ]+?/?)  ", tree, flags=re.MULTILINE)
    names = [name for line in modules for name in line.split(", ")]
    assert len(names) > 12
    for name in names:
        path = name if name.endswith("/") else f"{name}.py"
        assert list((REPOSITORY / "lib" / "randsparse").glob(path)), name


LINKS = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("https://")]


@pytest.mark.parametrize("link", [link for link in LINKS if not link.startswith("results/")])
def test_links_lead_somewhere(link):
    assert (REPOSITORY / link).exists()


def test_the_main_figure_is_one_that_a_notebook_draws():
    (path,) = (link for link in LINKS if link.startswith("results/"))
    notebook, name = re.fullmatch(r"results/[a-z0-9-]+/figures/(\d\d_[a-z_]+)_([a-z]+)\.png", path).groups()
    source = (REPOSITORY / "notebooks" / f"{notebook}.ipynb").read_text()
    assert f'\\"{name}\\",\\n' in source


def test_no_result_is_typed_by_hand():
    assert not re.search(r"\d\d\.\d+ ?%|accuracy of \d", README)
