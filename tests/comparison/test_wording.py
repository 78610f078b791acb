"""Numbers in words: points, intervals, shares, lists."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from randsparse.comparison import wording


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.0031, "+0.31"), (-0.012, "−1.20"), (0.00001, "0.00"), (-0.00001, "0.00")]
)
def test_points_have_a_sign_unless_they_round_to_nothing(fraction, text):
    assert wording.format_points(fraction) == text


def test_intervals_and_shares():
    assert wording.format_interval(-0.001, 0.0045) == "[−0.10, +0.45]"
    assert wording.format_points(0.05, signed=False) == "5.00"
    assert wording.share_text(0.12, -0.2, 0.43) == "0.12 [−0.20, 0.43]"
    assert wording.share_text(0.12, -math.inf, math.inf) == "0.12 [no limits]"
    assert wording.share_text(-0.001, -0.5, 0.5) == "0.00 [−0.50, 0.50]"


def test_counts_lists_and_names():
    assert [wording.list_words(list(text)) for text in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert wording.list_names(["dense", "nodes 80 %, 28 epochs"]) == "*dense* and *nodes 80 %, 28 epochs*"
    assert [wording.format_count(number, "cell") for number in (1, 2)] == ["1 cell", "2 cells"]
    assert (wording.count([40, 40]), wording.count([38, 40])) == ("40", "38–40")
    assert wording.format_phase(0.25) == "25 %"


def test_fractions_in_percent_with_new_names():
    frame = wording.convert_to_percent(pd.DataFrame({"a": [0.5, None], "b": [1, 2]}), {"a": "a (%)"})
    assert list(frame) == ["a (%)", "b"] and frame["a (%)"][0] == 50 and list(frame["b"]) == [1, 2]
