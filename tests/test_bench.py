"""What `make bench` measures: that it measures, and that the report is whole."""

from __future__ import annotations

import json

from randsparse import bench


def test_masking_is_measured_against_a_step():
    row = bench.masking("wrn-10-1", size=8, batch_size=16, steps=3)
    assert 0 < row["masking_ms"] < row["step_ms"]
    assert row["share"] == row["masking_ms"] / row["step_ms"]
    assert row["ratio"] == sorted(row["ratio"]) and row["ratio"][0] > 0


def test_the_report_is_written_and_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "SETTINGS", (("wrn-10-1", 8, 16),))
    bench.main(["--steps", "2", "--results", str(tmp_path)])
    report = json.loads((tmp_path / "bench" / "cpu.json").read_text())
    assert report["masking"][0]["model"] == "wrn-10-1"
    assert "wrn-10-1" in capsys.readouterr().out
