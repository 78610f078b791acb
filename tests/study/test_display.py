from __future__ import annotations

import html
import re

import pandas as pd
import pytest

from randsparse.study import display


def shown(frame, csv=""):
    """The cells of a table as it is shown, the head first, and what is said below it."""
    text = display.make_table_html(frame, csv)
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", text)]
    return [[html.unescape(cell) for cell in row] for row in rows], re.findall(r"<p>(.*?)</p>", text)


def test_a_row_says_what_it_is_about_then_its_verdict_then_numbers_then_why():
    frame = pd.DataFrame({
        "mean": [0.01234, -0.2], "low": [0.001, -0.25], "high": [0.024, -0.15], "n": [3, 5],
        "p_difference": [0.0123, 1e-6],
        "verdict": ["better", "worse"], "missing": [0, 0], "reason": ["so " * 20, "not"], "sparsity": [0.5, 0.9],
        "arm": ["erk & er", "uniform"], "baseline": ["dense", "dense"],
    })  # fmt: skip
    rows, below = shown(frame)
    assert rows == [
        ["sparsity", "arm", "verdict", "difference (points)", "n", "p difference", "reason"],
        ["0.5", "erk & er", "better", "1.2 [0.1, 2.4]", "3", "0.012", "so " * 20],
        ["0.9", "uniform", "worse", "-20.0 [-25.0, -15.0]", "5", "< 0.001", "not"],
    ]
    assert below == ["In all rows: baseline dense."]


def test_accuracies_are_in_percent_and_numbers_have_the_digits_that_a_reader_needs():
    values = {"arm": ["a", "b"], "test_accuracy": [0.61234, 0.5], "accuracy": [61.234, 0.5], "weights": [174128, 12]}
    values |= {
        "share": [0.123456, 1.0],
        "gain (points)": [0.0412, -1.26],
        "chosen": [True, False],
        "lr": [0.1, float("nan")],
    }
    rows, _ = shown(pd.DataFrame(values))
    assert rows == [
        ["arm", "chosen", "lr", "test accuracy (%)", "accuracy", "weights", "share", "gain (points)"],
        ["a", "yes", "0.1", "61.2", "61.23", "174,128", "0.1235", "0.04"],
        ["b", "no", "", "50.0", "0.5", "12", "1", "-1.3"],
    ]


def test_a_claim_comes_first_and_counts_of_what_is_missing_stay_where_there_are_some():
    frame = pd.DataFrame(
        {"kind": ["a", "b"], "claim": ["long " * 20, "c"], "missing": [0, 2], "verdict": ["supported"] * 2}
    )
    rows, below = shown(frame)
    assert rows[0] == ["claim", "kind", "verdict", "missing"] and below == []


@pytest.mark.parametrize(("low", "high", "text"), [(0.1, 0.4, "0.25 [0.1, 0.4]"), (float("nan"),) * 2 + ("0.25",)])
def test_an_interval_stands_in_brackets_after_its_estimate(low, high, text):
    frame = pd.DataFrame({"cell": ["a", "b"], "share": [0.25, 0.5], "low": [low, 0], "high": [high, 1], "n": [1, 2]})
    rows, _ = shown(frame)
    assert rows[0] == ["cell", "share", "n"] and rows[1] == ["a", text, "1"]
    apart = frame[["low", "cell", "high", "n"]]
    assert shown(apart)[0][0] == ["cell", "low", "high", "n"]


def test_columns_have_classes_by_which_numbers_and_names_are_not_wrapped():
    text = display.make_table_html(pd.DataFrame({"a": ["x", "y"], "b": [1, 2], "c": ["word " * 20, ""]}))
    assert '<td class="name">x</td><td class="number">1</td><td class="prose">word' in text


def test_long_tables_are_folded_and_link_to_all_columns():
    frame = pd.DataFrame({"n": range(display.LONG)})
    assert "<details" not in display.make_table_html(frame, "a.csv")
    longer = display.make_table_html(pd.DataFrame({"n": range(display.LONG + 1)}), "../tables/a.csv")
    assert longer.startswith("<details><summary>Table of 21 rows</summary>") and 'href="../tables/a.csv"' in longer
    assert shown(frame[:0]) == ([], ["There is nothing in this table yet."])


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        (
            "Mean *test accuracy* of `erk`, 0.5 of the weights. Bars: 95 % intervals.",
            "Mean test accuracy of erk, 0.5 of the weights.",
        ),
        ("**Figure.** Of [notebook 07](07_theory.ipynb), $p_l$", "Of notebook 07, p_l"),
        ("One line", "One line"),
    ],
)
def test_alternative_text_is_the_first_sentence_of_the_caption(caption, words):
    assert display.make_alternative_text(caption) == words
