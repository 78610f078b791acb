"""What a notebook of the study needs: its parameters, its runs, and places for its figures and tables.

A notebook opens itself in its first cell after the parameters, and does everything else through what it gets:

    from randsparse.study.notebook import Notebook

    notebook = Notebook.open("03_sparsity_vs_accuracy", globals())

    runs = notebook.sweep()  # DataFrame, one row a run; trains what the store does not have
    notebook.measure()  # makes the evaluations that the store does not have
    notebook.comparison, notebook.store  # for comparison.frames.results and the like
    notebook.figure(figure, "accuracy", data, caption="...")  # saves SVG, PNG and CSV, and shows it
    notebook.table(table, "differences")  # saves CSV, and returns it for the cell to show
    notebook.verdicts(verdicts)  # the same, for the overview and the index
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pandas
from IPython.display import HTML, Image, Markdown, display

from randsparse import questions
from randsparse.comparison.design import Comparison
from randsparse.errors import StudyError
from randsparse.files import write
from randsparse.runs import evaluations
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store
from randsparse.study import display as shown_as
from randsparse.study import parameters as declared
from randsparse.study import settings
from randsparse.study.settings import make_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from randsparse.comparison.plots import Drawn
    from randsparse.comparison.saving import Provenance

VERDICT_COLUMNS = ("claim", "verdict")
SAID = ["estimate", "low", "high", "unit", "regime"]
"""Columns of a verdict that are saved and not shown: its evidence says them in words, and one line the regime."""
WIDTH = 820
"""How wide figures are shown, in pixels of the page."""


@dataclass
class Notebook:
    """One notebook with the parameters that it runs with.

    Attributes:
        name: the name of its file, without .ipynb.
        profile: the profile whose results these are, or "custom" if a parameter differs from the profile's.
        parameters: the value of each parameter.
        root: the folder of the study; `results` and `data_dir` are those of results and datasets.
        configs: the runs that it shows, once `sweep` has run, and `records` their records (and those of evaluations).
    """

    name: str
    profile: str
    parameters: dict[str, object]
    root: Path
    results: Path
    data_dir: Path
    configs: list[RunConfig] = field(default_factory=list, repr=False)
    records: list[dict] = field(default_factory=list, repr=False)

    @classmethod
    def open(cls, name: str, namespace: Mapping[str, object], root: Path | None = None) -> Notebook:
        """Check the parameters that a notebook runs with, make its first plan, and return it.

        Args:
            name: the name of the notebook's file, without .ipynb.
            namespace: the notebook's `globals()` after its parameters cell and papermill's.
            root: the folder of the study, found from the current folder by default.

        Raises StudyError before anything runs: for a parameter that the notebook does not have, a value
        of the wrong type, and what the plan's configurations and evaluations refuse (a sparsity of 1, an unknown
        rule, a budget below 0).
        """
        root = root or declared.find_root()
        own = declared.read(name, root)
        given = [*own, *declared.find_injected(list(namespace.get("In", [])))]
        values = declared.check(own, {key: namespace[key] for key in given if key in namespace})
        values = declared.complete(values, root)
        profile = str(values["profile"])
        if values != declared.read_parameters(name, profile, root):
            profile = "custom"
        notebook = cls(name, profile, values, root, settings.find_results_folder(root), settings.find_data_folder(root))
        questions.plan_evaluations(name, values)
        questions.plan(name, values, notebook.store)
        return notebook

    @functools.cached_property
    def store(self) -> Store:
        """The store of all runs, which all notebooks and profiles share."""
        return Store(self.results)

    @property
    def folder(self) -> Path:
        """Where its figures and tables go; changed parameters never overwrite what belongs to a profile.

        While the study executes a notebook that is a folder of the moment, RANDSPARSE_STAGING: what the last
        execution left is replaced when this one has come to its end.
        """
        return Path(os.environ.get("RANDSPARSE_STAGING") or self.results / self.profile)

    @functools.cached_property
    def comparison(self) -> Comparison:
        """The comparison that the notebook shows: its arms and infeasible points, or its cells."""
        return questions.compare(self.name, self.parameters)

    def sweep(self) -> pandas.DataFrame:
        """Train the runs that the store does not have; return the frame of all that the notebook shows.

        It has one row a run; `frames.results(notebook.comparison, notebook.store)` and its
        neighbours give the rows their arms.
        """
        from randsparse.sweeps.sweep import sweep

        plan = functools.partial(questions.plan, self.name, self.parameters)
        where = {"cluster": settings.read_cluster(), "device": settings.read_device()}
        sweep(plan, self.store, workers=settings.read_worker_count(), data_dir=self.data_dir, **where)
        self.configs = questions.find_used(self.name, self.parameters, self.store)
        self.records = list(self.store.load(self.configs).values())
        return self.store.frame(self.configs)

    def measure(self) -> None:
        """Make the evaluations of runs that the store lacks, after `sweep`; none where a campaign makes them.

        The records of those that are there count among `records`.
        """
        from randsparse.sweeps import measuring

        # Evaluations are made on this machine, also where a cluster trains.
        here = {
            "workers": settings.read_worker_count(),
            "device": settings.read_device() or "cpu",
            "data_dir": self.data_dir,
        }
        for runs, wanted in questions.group_evaluations(self.name, self.parameters, self.store):
            if self.parameters.get("train_missing", True):
                measuring.evaluate(runs, wanted, self.store, **here)
            found = evaluations.load(runs, wanted, self.store).values()
            self.records += [{**each, "key": f"{each['run']}-{each['key']}"} for each in found]

    def provenance(self, records: list[dict] | None = None) -> Provenance:
        """Return what a figure says of its origin; `records` are those it shows, by default all."""
        from randsparse.comparison.saving import Provenance

        return Provenance.of(self.profile, self.parameters, self.records if records is None else records)

    def figure(
        self,
        figure: Figure,
        name: str,
        data: pandas.DataFrame,
        *,
        caption: str,
        records: list[dict] | None = None,
    ) -> None:
        """Save a figure and its data as <notebook>_<name>.svg, .png and .csv, close it and show it.

        The caption says what the error bars are, n, and numbers that the cell computed.
        """
        import matplotlib.pyplot as plt

        from randsparse.comparison import plots, saving

        folder, stem = self.folder / "figures", f"{self.name}_{name}"
        with make_folder(folder):
            saving.save(figure, stem, folder, data, self.provenance(records))
        plt.close(figure)
        alt = shown_as.make_alternative_text(caption)
        display(Image(data=(folder / f"{stem}.png").read_bytes(), format="png", width=WIDTH, alt=alt))
        display(plots.caption(caption))

    def show(self, drawn: Drawn | None, name: str) -> None:
        """Save and show a chart that comes with its caption and data, as `figure` does; None: it is missing."""
        if drawn is None:
            display(Markdown("*What this figure shows is not there yet.*"))
            return
        self.figure(drawn.figure, name, drawn.data, caption=drawn.caption)

    def table(self, frame: pandas.DataFrame, name: str) -> HTML:
        """Save a table as <notebook>_<name>.csv and return what a cell shows of it, as `display.make_table_html`."""
        path = self.folder / "tables" / f"{self.name}_{name}.csv"
        with make_folder(path.parent):
            write(path, frame.to_csv(index=False, lineterminator="\n").encode())
        return HTML(shown_as.make_table_html(frame, f"../tables/{path.name}"))

    def verdicts(self, frame: pandas.DataFrame) -> HTML:
        """Save and return the verdicts, one row a claim: columns claim, verdict, and what tells why.

        Rows whose column kind is "check" are checks of the study itself: they are shown folded, below the others. Where
        there is that column, the columns SAID are not shown.
        """
        missing = [column for column in VERDICT_COLUMNS if column not in frame.columns]
        if missing:
            raise StudyError(f"the verdicts of {self.name} have no column {', '.join(missing)}")
        whole = self.table(frame, "verdicts")
        if "kind" not in frame:
            return whole
        checks, shown = frame["kind"] == "check", frame.drop(columns=SAID, errors="ignore")
        regimes = frame["regime"].dropna().unique() if "regime" in frame else []
        told = "".join(f"<p>Regime: {escape(regime)}.</p>" for regime in regimes)
        folded = (
            f"<details><summary>Checks ({checks.sum()})</summary>{shown_as.make_table_html(shown[checks])}</details>"
        )
        return HTML(shown_as.make_table_html(shown[~checks]) + told + (folded if checks.any() else ""))

    def saved_figure(self, notebook: str, name: str) -> Image | Markdown:
        """Return a figure that another notebook of this profile has saved, or a line that says it is not made yet."""
        path = self.results / self.profile / "figures" / f"{notebook}_{name}.png"
        if not path.is_file():
            return Markdown(f"*The figure {name} of notebook {notebook} is not made yet.*")
        return Image(data=path.read_bytes(), format="png", width=WIDTH, alt=f"{name} of notebook {notebook}")

    def all_verdicts(self) -> pandas.DataFrame:
        """Return the verdicts that the notebooks of this profile have saved, with a first column notebook."""
        return read_verdicts(self.results / self.profile)


def read_verdicts(folder: Path) -> pandas.DataFrame:
    """Return the verdicts of all notebooks of a profile's folder, in order, with a first column notebook."""
    paths = sorted((folder / "tables").glob("*_verdicts.csv"))
    frames = {path.stem.removesuffix("_verdicts"): pandas.read_csv(path) for path in paths}
    if not frames:
        return pandas.DataFrame(columns=["notebook", *VERDICT_COLUMNS])
    return pandas.concat(frames, names=["notebook"]).reset_index("notebook").reset_index(drop=True)
