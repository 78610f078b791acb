"""Which attacks there are, and what they say of each other."""

from __future__ import annotations

import pandas as pd
import pytest

from randsparse.errors import StudyError
from randsparse.questions.beyond_accuracy.adversarial import Adversarial, masking_checks, masking_suite


def test_impossible_attacks():
    with pytest.raises(StudyError, match=r"epsilon=-1.0 is not possible: it must be a budget of 0 to 255"):
        Adversarial(epsilon=-1)
    with pytest.raises(StudyError, match=r"steps=0 .*at least 1"):
        Adversarial(steps=0)
    with pytest.raises(StudyError, match=r"unknown attack 'cw': choose one of fgsm, pgd, noise"):
        Adversarial("cw")
    with pytest.raises(StudyError, match=r"epsilon='8' is a str: it must be a finite number"):
        Adversarial(epsilon="8")
    assert Adversarial("fgsm", 8, steps=3, restarts=4, seed=5) == Adversarial("fgsm", 8)


def rows(suite: dict[str, Adversarial], **values: tuple[float, float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"key": "run", "evaluation": suite[role].key, "accuracy": accuracy, "loss": loss}
        for role, (accuracy, loss) in values.items()
    )


def test_masking_checks_tell_honest_gradients_from_masked_ones():
    suite = masking_suite(8, images=100)
    honest = {"noise": (0.9, 0.3), "fgsm": (0.4, 2), "short": (0.3, 3), "pgd": (0.2, 4), "unbounded": (0, 20)}
    assert masking_checks(rows(suite, **honest), suite)["holds"].all()
    masked = {"noise": (0.5, 1), "fgsm": (0.6, 1), "short": (0.8, 0.4), "pgd": (0.8, 0.3), "unbounded": (0.7, 2)}
    assert not masking_checks(rows(suite, **masked), suite)["holds"].any()
    with pytest.raises(StudyError, match=r"epsilon=0 is not possible: it must be above 0"):
        masking_suite(0)
