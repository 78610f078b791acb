"""The parameters of a notebook: read from its source, changed by a profile, checked before anything runs."""

from __future__ import annotations

import ast
import io
import json
import math
import subprocess
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from randsparse.errors import StudyError, require, unknown
from randsparse.files import read_yaml

DEFAULT_PROFILE = "digits"
CAMPAIGN = "campaign.yaml"
"""The file that makes a profile a campaign."""
FACTOR = 1000
"""How many times its default a whole number may be."""
_SCALARS = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell: `name: type = value  # comment`."""

    name: str
    type: str
    value: object
    comment: str


def find_root() -> Path:
    """Return the folder of the study: the current one, or else the nearest one above it, that has notebooks.

    Without one, it is the checkout that this library lies in.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "notebooks").is_dir() and (folder / "pyproject.toml").is_file():
            return folder
    return Path(__file__).resolve().parents[3]


def read(name: str, root: Path) -> dict[str, Parameter]:
    """Return the parameters that notebook `name` declares, in their order, without executing it.

    Raises StudyError if there is no such notebook, or its parameters cell is not typed literals only.
    """
    path = root / "notebooks" / f"{name}.ipynb"
    if not path.is_file():
        raise unknown("notebook", name, sorted(found.stem for found in path.parent.glob("*.ipynb")))
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StudyError(f"notebooks/{path.name} is no notebook ({type(error).__name__}): restore it") from None
    if len(tagged) != 1:
        raise StudyError(f"{path.name} has {len(tagged)} cells tagged 'parameters': it must have one")
    parameters = _declared("".join(tagged[0]["source"]), path.name)
    if "profile" not in parameters:
        raise StudyError(f'{path.name}: its parameters cell must declare profile: str = "{DEFAULT_PROFILE}"')
    return parameters


def _declared(source: str, where: str) -> dict[str, Parameter]:
    """Return the parameters of the source of one parameters cell."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    parameters = {}
    for line in ast.parse(source).body:
        if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value):
            raise StudyError(
                f"{where}: `{ast.unparse(line)}` in the parameters cell: write name: type = value  # comment"
            )
        name, hint = line.target.id, ast.unparse(line.annotation)
        try:
            value = ast.literal_eval(line.value)
        except ValueError:
            raise StudyError(f"{where}: {name} = {ast.unparse(line.value)} is not a literal") from None
        if not has_type(value, hint):
            raise StudyError(f"{where}: parameter {name} is declared {hint} but is {value!r}")
        parameters[name] = Parameter(name, hint, value, comments.get(line.end_lineno, ""))
    return parameters


def has_type(value: object, hint: str) -> bool:
    """Return whether a value has the type that a hint such as "list[float]" or "int | None" names.

    An int is a float, True is neither; a tuple is a list.
    """
    return _fits(value, ast.parse(hint, mode="eval").body)


def _fits(value: object, hint: ast.expr) -> bool:
    if isinstance(hint, ast.BinOp):
        return _fits(value, hint.left) or _fits(value, hint.right)
    if isinstance(hint, ast.Constant):
        return value is hint.value
    if isinstance(hint, ast.Subscript) and isinstance(hint.value, ast.Name):
        inner = hint.slice
        if hint.value.id == "dict" and isinstance(inner, ast.Tuple):
            key, item = inner.elts
            return isinstance(value, dict) and all(_fits(k, key) and _fits(v, item) for k, v in value.items())
        if hint.value.id == "list":
            return isinstance(value, list | tuple) and all(_fits(item, inner) for item in value)
    if isinstance(hint, ast.Name) and hint.id in _SCALARS:
        return isinstance(value, _SCALARS[hint.id]) and (hint.id == "bool" or not isinstance(value, bool))
    raise StudyError(f"unknown type {ast.unparse(hint)}: use bool, int, float, str, None, list[..], dict[..]")


def check(parameters: Mapping[str, Parameter], values: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a notebook in declared order: `values`, and defaults for what is not given.

    Raises StudyError for a name that is not declared and for a value of another type than the declared one.
    """
    for name, value in values.items():
        if name not in parameters:
            raise unknown("parameter", name, [f"{p.name} ({p.type})" for p in parameters.values()])
        hint = parameters[name].type
        if not has_type(value, hint):
            how = f'; use papermill -y "{name}: ...", as -p passes a string' if isinstance(value, str) else ""
            raise StudyError(f"parameter {name} is {value!r:.200} ({type(value).__name__}), not {hint}{how}")
        _check_range(parameters[name], value)
    return {name: values.get(name, parameter.value) for name, parameter in parameters.items()}


def _check_range(parameter: Parameter, value: object) -> None:
    """Raise StudyError for a value that no plan can have been made for, by what the default and the name are.

    Numbers are finite. A list that has something by default is not empty. Numbers are not negative if no default is;
    whole ones are at least 1 where all defaults are, and at most FACTOR times the largest default. A sparsity is in
    [0, 1), a density in (0, 1], a margin above 0.
    """
    name, usual = parameter.name, _numbers(parameter.value)
    require(bool(value) or not parameter.value or not isinstance(value, list | tuple), name, value, "one value or more")
    lists = [each for each in _within(value) if isinstance(each, list | tuple | dict)]
    require(all(lists), name, value, "without empty lists")
    for number in _numbers(value):
        require(math.isfinite(number), name, value, "finite")
        whole = isinstance(number, int)
        if usual and min(usual) >= 0 and not name.endswith("seed"):
            least = 1 if whole and min(usual) >= 1 else 0
            require(number >= least, name, value, f"at least {least}")
        if whole and not name.endswith("seed"):
            most = FACTOR * max(*usual, 10) if usual else 10**9
            require(0 <= number <= most, name, value, f"from 0 to {most:g}")
        elif name.endswith(("sparsity", "sparsities")):
            require(0 <= number < 1, name, value, "in [0, 1)")
        elif name.endswith(("_density", "_densities")):
            require(0 < number <= 1, name, value, "in (0, 1]")
        elif "margin" in name or name in ("gap", "failure", "resolution", "scale"):
            require(number > 0, name, value, "above 0")


def _numbers(value: object) -> list[float]:
    both = (value, *_within(value))
    return [each for each in both if isinstance(each, int | float) and not isinstance(each, bool)]


def _within(value: object) -> Iterator[object]:
    """Yield all that is in a list or a dictionary, at any depth."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    for each in items:
        yield each
        yield from _within(each)


def list_profiles(root: Path) -> list[str]:
    """Return the names of all profiles, the default one first."""
    found = {path.name for path in (root / "notebooks" / "profiles").glob("*") if path.is_dir()}
    return [DEFAULT_PROFILE, *sorted(found - {DEFAULT_PROFILE})]


def is_campaign(profile: str, root: Path) -> bool:
    """Return whether a profile is a campaign (`campaign`), and not parameters of notebooks."""
    return find_campaign(profile, root).is_file()


def find_campaign(profile: str, root: Path) -> Path:
    """Return the file of a campaign."""
    return root / "notebooks" / "profiles" / profile / CAMPAIGN


def read_campaign(profile: str, root: Path) -> object:
    """Return what the file of a campaign holds; raises StudyError for a campaign that there is none of, or no YAML."""
    if not is_campaign(profile, root):
        raise unknown("campaign", profile, [name for name in list_profiles(root) if is_campaign(name, root)])
    path = find_campaign(profile, root)
    return read_yaml(path, str(path.relative_to(root)))


def read_overrides(name: str, profile: str, root: Path) -> dict[str, object]:
    """Return what a profile changes in notebook `name`, the profile's own name included."""
    if profile not in list_profiles(root):
        raise unknown("profile", profile, list_profiles(root))
    path = root / "notebooks" / "profiles" / profile / f"{name}.yaml"
    where = path.relative_to(root)
    changes = (read_yaml(path, str(where)) if path.is_file() else None) or {}
    if not isinstance(changes, dict):
        raise StudyError(f"{where} must hold lines of `name: value`")
    try:
        check(read(name, root), changes)
        require("profile" not in changes, "profile", profile, "left out: the folder says it")
    except StudyError as error:
        raise StudyError(f"{where}: {error}") from None
    return {"profile": profile, **changes}


def read_parameters(name: str, profile: str, root: Path) -> dict[str, object]:
    """Return the values that the parameters of notebook `name` have in a profile, in declared order.

    They are those of the default profile's file, where the profile changes nothing, and not those of the parameters
    cell, so that a notebook that was edited and saved redefines no profile. The cell has what no file names.
    """
    return complete(_values(name, profile, root), root)


def _values(name: str, profile: str, root: Path) -> dict[str, object]:
    usual = read_overrides(name, DEFAULT_PROFILE, root)
    return check(read(name, root), usual | read_overrides(name, profile, root))


def injected_values(name: str, profile: str, root: Path) -> dict[str, object]:
    """Return what is injected into notebook `name` for a profile: its name, and what its parameters cell has not."""
    own, values = read(name, root), _values(name, profile, root)
    return {key: value for key, value in values.items() if key == "profile" or value != own[key].value}


def list_edited(root: Path) -> list[str]:
    """Return the notebooks that differ from their committed form, as far as git knows one."""
    command = ["git", "-C", str(root), "diff", "--name-only", "HEAD", "--", "notebooks/[0-9]*.ipynb"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # there is no git here, or nothing of it
        return []
    return [Path(line).stem for line in said.splitlines()]


def define_default(name: str, root: Path) -> Path:
    """Write the parameters cell of notebook `name` as the default profile's file, and return it.

    For whoever changes what that profile is: `python -m randsparse.study.parameters`.
    """
    import yaml

    path = root / "notebooks" / "profiles" / DEFAULT_PROFILE / f"{name}.yaml"
    values = {key: parameter.value for key, parameter in read(name, root).items() if key != "profile"}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(values, sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)
    path.write_text(text, encoding="utf-8")
    return path


def complete(values: dict[str, object], root: Path) -> dict[str, object]:
    """Return parameters with the content of its file in place of the name of a campaign, for a notebook that has one.

    What a notebook is made from is then all in its parameters.
    """
    if "campaign" not in values:
        return values
    return values | {"campaign": read_campaign(str(values["campaign"]), root)}


def find_injected(history: list[str]) -> list[str]:
    """Return the names that papermill's injected cell sets, from the cells that IPython has run (its `In`).

    Only the last such cell counts, so that a cell mended and run again in JupyterLab raises no false alarm.
    """
    cells = [source for source in history if source.split("\n", 1)[0].strip() == "# Parameters"]
    lines = ast.parse(cells[-1]).body if cells else []
    targets = [target for line in lines if isinstance(line, ast.Assign) for target in line.targets]
    return [target.id for target in targets if isinstance(target, ast.Name)]


if __name__ == "__main__":
    study = find_root()
    for notebook in sorted((study / "notebooks").glob("[0-9]*.ipynb")):
        if len(read(notebook.stem, study)) > 1:  # more than the name of the profile
            define_default(notebook.stem, study)
