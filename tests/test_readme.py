from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import torch

from conftest import REPOSITORY
from randsparse.errors import StudyError
from randsparse.study import findings, parameters

README = (REPOSITORY / "README.md").read_text()
MAKEFILE = (REPOSITORY / "Makefile").read_text()
PAGES = {path.name: path.read_text() for path in sorted((REPOSITORY / "docs").glob("*.md"))}


def blocks(language, text=README):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def section(title, text):
    return re.search(rf"^#+ {title}\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)[1]


def test_a_mask_on_your_own_model_works_as_written(capsys):
    source, method = blocks("python")
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
    mask.apply(torch.nn.Sequential(*map(type_of, model))).remove()  # a mask can be in force on several networks
    with pytest.raises(StudyError, match="in force"):
        exec(compile(method, "README.md", "exec"), place)


def type_of(layer):
    return torch.nn.Linear(layer.in_features, layer.out_features) if isinstance(layer, torch.nn.Linear) else layer


def test_a_method_on_your_own_model_works_as_written():
    source, method = blocks("python")
    begin = source[: source.index("mask.apply")]
    loop = source[source.index("for _ in range") :].replace("optimizer.step()", "method.step()")
    made = method[: method.index("method.step()")].replace("1000", "10").replace("100", "2")
    whole = f"{begin}\n{made}\nfirst = method.mask\n{loop.replace('mask.items', 'method.mask.items')}"
    place = {}
    exec(compile(whole, "README.md", "exec"), place)
    assert place["method"].mask.counts == place["first"].counts and place["method"].mask != place["first"]


def test_a_model_and_data_of_ones_own_work_as_written_in_all_processes_of_a_sweep(tmp_path):
    task, script = blocks("python", PAGES["own.md"])
    assert len(task.splitlines()) <= 20 and len(script.splitlines()) <= 12
    (tmp_path / "my_task.py").write_text(task)
    (tmp_path / "run.py").write_text(script)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (commands,) = blocks("sh", PAGES["own.md"])
    path = "export PYTHONPATH=$PWD"
    assert path in commands
    commands = commands.replace(path, f"{path}:{REPOSITORY / 'lib'}:{os.pathsep.join(sys.path)}")
    done = subprocess.run(commands, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _, *rows = [line.split()[1:] for line in done.stdout.splitlines()]
    assert [row[:3] for row in rows] == [["static", "0.5", "0.5"], ["rigl", "0.5", "0.5"], ["static", "0.0", "1.0"]]
    assert all(float(row[3]) > 0 and float(row[4]) > 0.6 for row in rows)


def test_the_documented_targets_are_those_of_make():
    table = section("make", PAGES["profiles.md"])
    documented = set(re.findall(r"^\| `make ([a-z-]+)` \|", table, flags=re.MULTILINE))
    assert documented == set(re.findall(r"^([a-z-]+):.*  ## ", MAKEFILE, flags=re.MULTILINE))
    variables = set(re.findall(r"`([A-Z_]+)=…`", table))
    assert variables == {"PROFILE", "DATA_DIR", "RESULTS", "WORKERS"}
    assert all(re.search(rf"^(ifdef {name}|{name} \?=)", MAKEFILE, flags=re.MULTILINE) for name in variables)


def test_the_documented_profiles_exist_the_default_one_first():
    documented = re.findall(r"^\| `([a-z0-9-]+)`", section("Profiles", PAGES["profiles.md"]), flags=re.MULTILINE)
    assert documented[0] == parameters.DEFAULT_PROFILE and set(documented) <= set(parameters.list_profiles(REPOSITORY))


def test_the_layout_names_files_that_exist():
    tree = re.search(r"^```\n(.*?)^```", section("Layout", PAGES["layout.md"]), flags=re.MULTILINE | re.DOTALL)[1]
    folders = re.findall(r"^([a-z]+/)", tree, flags=re.MULTILINE)
    assert {"notebooks/", "lib/", "tests/"} <= set(folders)
    library = tree[tree.index("lib/randsparse/") : tree.index("recipes/")]
    rooms = {path.name for path in (REPOSITORY / "lib" / "randsparse").iterdir() if (path / "__init__.py").is_file()}
    assert set(re.findall(r"^  ([a-z]+)/ ", library, flags=re.MULTILINE)) == rooms
    spine = re.findall(r"`([a-z]+/[a-z]+)`", section("Layout", PAGES["layout.md"]).split("```")[-1])
    assert len(spine) == 8
    for name in spine:
        assert (REPOSITORY / "lib" / "randsparse" / f"{name}.py").is_file(), name


LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
LINKS = {
    (page, link)
    for page, text in [("README.md", README), *((f"docs/{name}", text) for name, text in PAGES.items())]
    for link in LINK.findall(text)
    if not link.startswith("https://")
}


@pytest.mark.parametrize(("page", "link"), sorted(LINKS))
def test_links_lead_somewhere(page, link):
    assert ((REPOSITORY / page).parent / link).exists()


def test_the_main_figure_is_one_that_a_notebook_draws():
    (path,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    notebook, name = re.fullmatch(r"results/[a-z0-9-]+/figures/(\d\d_[a-z_]+)_([a-z]+)\.png", path).groups()
    source = (REPOSITORY / "notebooks" / f"{notebook}.ipynb").read_text()
    assert re.search(rf'\\"{name}\\"[,)]', source)


def test_the_readme_is_short():
    assert len(README.split()) <= 1500


@pytest.mark.parametrize("interim", [False, True])
def test_what_was_found_is_what_the_tables_of_the_notebooks_say(tmp_path, interim):
    folder = REPOSITORY / "results" / "cifar10-small"
    copy = tmp_path / "README.md"
    copy.write_text(README)
    assert findings.put(README, findings.make_table(folder, "results/cifar10-small")) == README, "make findings"
    shutil.copytree(folder / "tables", tmp_path / "results" / "tables")
    path = tmp_path / "results" / "tables" / "03_sparsity_vs_accuracy_verdicts.csv"
    frame = pd.read_csv(path)
    frame.loc[0, ["estimate", "low", "high", "n", "verdict"]] = [0.057, -0.04, 0.154, 80, "supported"]
    frame.loc[0, "evidence"] = "Interim: 40 of 80 runs are there." if interim else "It is so."
    frame.to_csv(path, index=False)
    findings.update(copy, tmp_path / "results")
    (row,) = [line for line in copy.read_text().splitlines() if line.startswith("| [03]")]
    assert "(results/notebooks/03_sparsity_vs_accuracy.ipynb)" in row
    assert "| *supported* | 0.06 [−0.04, 0.15] points | 80 |" in row.replace(" (interim, 40 of 80 runs)", "")
    assert ("(interim, 40 of 80 runs)" in row) == interim
    with pytest.raises(StudyError, match="has no lines"):
        findings.put("# randsparse", "")


def test_no_result_is_typed_by_hand():
    by_hand = README[: README.index(findings.BEGIN)] + README[README.index(findings.END) :]
    assert not re.search(r"\d\d\.\d+ ?%|accuracy of \d", by_hand)
