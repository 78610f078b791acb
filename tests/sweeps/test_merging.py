from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from made_up import BASE, environment, record_of, sealed
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.records import find_differences
from randsparse.runs.store import Store, keep_comparable
from randsparse.sweeps.bundles import Bundle
from randsparse.sweeps.merging import merge

NAMES = ("home.jsonl", "home.jsonl.gz")
CONFIGS = [BASE.replace(mask_seed=seed) for seed in range(4)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture(params=NAMES)
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return tmp_path / "away" / request.param


def filled(path: Path, *configs: RunConfig, **changes) -> Path:
    bundle = Bundle(path)
    for config in configs:
        bundle.append(record_of(config, **changes))
    return path


def contents(store: Store) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in store.root.rglob("*.json*")}


def keys(configs: list[RunConfig]) -> list[str]:
    return [config.key for config in configs]


def test_a_bundle_brings_records_home_as_they_were_put(store, path):
    filled(path, *CONFIGS[:2])
    filled(path, *CONFIGS[2:])
    merged = merge(path, store)
    assert merged.added == keys(CONFIGS)
    assert (merged.present, merged.replaced, merged.conflicts, merged.damaged) == ([], [], [], [])
    own = Store(store.root / "own")
    for config in CONFIGS:
        own.put(record_of(config))
        assert own.path(config).read_bytes() == store.path(config).read_bytes()
    before = contents(store)
    again = merge(path, store)
    assert again.present == keys(CONFIGS) and again.added == [] and contents(store) == before


def test_a_line_is_one_compact_sorted_record(tmp_path):
    record = record_of(BASE, reason=math.nan)
    line = filled(tmp_path / "home.jsonl", BASE, reason=math.nan).read_text()
    expected = record | {"reason": None, "semantics": 1}
    expected["sha256"] = hashlib.sha256(json.dumps(expected, sort_keys=True).encode()).hexdigest()[:16]
    assert line == json.dumps(expected, sort_keys=True, separators=(",", ":")) + "\n"
    assert gzip.decompress(filled(tmp_path / "home.jsonl.gz", BASE, reason=None).read_bytes()).decode() == line


def test_a_record_that_does_not_fit_its_config_is_not_added(path):
    with pytest.raises(StudyError, match="does not fit"):
        Bundle(path).append(record_of(BASE, key="0" * 16))
    assert not path.exists()


def test_cost_and_environment_may_differ(store, path):
    store.put(record_of(BASE))
    before = contents(store)
    merged = merge(filled(path, BASE, cost={"seconds": 1.0}, environment={"torch": "3"}), store)
    assert merged.present == [BASE.key] and contents(store) == before


def test_a_conflict_names_its_fields_and_the_stored_record_stays(store, path):
    store.put(record_of(BASE))
    before = contents(store)
    test = {"accuracy": 0.8, "nll": 0.3, "brier": 0.2, "ece": 0.01}
    merged = merge(filled(path, BASE, CONFIGS[1], test=test, reason="other"), store)
    assert [tuple(conflict) for conflict in merged.conflicts] == [(BASE.key, ("reason", "test.accuracy"))]
    assert merged.added == [CONFIGS[1].key] and before.items() <= contents(store).items()
    assert f"{BASE.key} differs in reason, test.accuracy" in str(merged)
    assert merge(path, store).conflicts == merged.conflicts


def test_differences_are_those_of_what_is_comparable():
    one = record_of(BASE)
    other = record_of(BASE, epochs=5, status="stopped", cost={}, environment={}, test=None)
    assert find_differences(one, other) == ("curve", "status", "test")
    assert find_differences(one, record_of(BASE, cost={})) == ()
    other["density"] |= {"layers": {"a": 0.2}}
    assert "density.layers.a" in find_differences(one, other)


def test_a_failed_run_is_replaced_and_replaces_none(store, path):
    failed = {"status": "failed", "reason": "OSError", "curve": [], "test": None}
    store.put(record_of(CONFIGS[0], **failed))
    store.put(record_of(CONFIGS[1]))
    filled(path, CONFIGS[0])
    filled(path, CONFIGS[1], CONFIGS[2], **failed)
    filled(path, CONFIGS[2])
    merged = merge(path, store)
    assert merged.replaced == keys([CONFIGS[0], CONFIGS[2]]) and merged.added == [CONFIGS[2].key]
    assert [conflict.key for conflict in merged.conflicts] == [CONFIGS[1].key]
    assert [store.get(config)["status"] for config in CONFIGS[:3]] == ["done"] * 3


def test_a_beginning_is_added_even_where_a_longer_run_answers_for_it(store, path):
    store.put(record_of(BASE))
    early = BASE.replace(stop_epoch=2)
    assert store.has(early)
    assert merge(filled(path, early), store).added == [early.key]
    assert keep_comparable(store.own(early)).items() >= keep_comparable(record_of(early)).items()


def test_damaged_lines_are_reported_and_the_others_merged(store, tmp_path):
    path = tmp_path / "home.jsonl"
    good = filled(path, *CONFIGS).read_text().splitlines()
    lines = [
        good[0],
        good[1][:100],
        "[1, 2]",
        sealed(good[1].replace(CONFIGS[1].key, "0" * 16)),
        sealed(good[1].replace('"schema":1', '"schema":7')),
        sealed(good[1].replace('"semantics":1', '"semantics":0')),
        sealed(good[1].replace('"curve":[', '"curve":[5,')),
        sealed(good[1].replace('"sparsity"', '"sparsness"')),
        sealed(good[1].replace('"sparsity":0.5', '"mask_seed":Infinity')),
        good[1].replace('"epoch":2', '"epoch":3'),
        "",
        good[2],
        good[3][:-7],
    ]
    path.write_text("\n".join(lines))
    merged = merge(path, store)
    assert merged.added == keys([CONFIGS[0], CONFIGS[2]])
    assert [line.number for line in merged.damaged] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 13]
    expected = [
        "not whole JSON",
        "fields are missing",
        "do not fit",
        "schema version 7",
        "semantics 0",
        "curve is not a list",
        "sparsness",
        "mask_seed=inf",
        "its checksum is that of another content",
        "cut short",
    ]
    for line, why in zip(merged.damaged, expected, strict=True):
        assert why in line.why and f"{path} line {line.number}: {line.why}" in str(merged)
    counts = "added: 2, already there: 0, in place of failed runs: 0, conflicts: 0, damaged lines: 10"
    assert str(merged).splitlines()[0] == counts


def test_a_long_list_of_problems_is_shortened(store, tmp_path):
    path = filled(tmp_path / "home.jsonl", BASE)
    path.write_text(path.read_text() + "{\n" * 50)
    said = str(merge(path, store)).splitlines()
    assert len(said) == 22 and said[-1] == "and 30 more"


def test_a_cut_at_any_byte_costs_the_last_record_at_most(tmp_path, path):
    filled(path, CONFIGS[0])
    one = path.stat().st_size
    whole = filled(path, CONFIGS[1]).read_bytes()
    merged_store = Store(tmp_path / "merged")
    sizes = {0, *range(2, 12), one - 1, *range(one, len(whole), 37), *range(len(whole) - 12, len(whole))}
    for size in sorted(sizes):
        path.write_bytes(whole[:size])
        merged = merge(path, merged_store)
        before, there = (size >= one) + (size == len(whole)), len(merged.added) + len(merged.present)
        nearly = one - 12 <= size < one or len(whole) - 12 <= size < len(whole)  # all of the text may be there
        assert there in (before, before + nearly) and len(merged.damaged) <= 1
        filled(path, CONFIGS[2])
        again = merge(path, Store(tmp_path / f"again{size}"))
        assert again.damaged == [] and again.added[-1] == CONFIGS[2].key
        assert len(again.added) - 1 in (before, before + nearly)


def test_a_kill_at_any_moment_leaves_a_bundle_that_goes_on(store, path):
    program = """
import sys
sys.path.insert(0, sys.argv[2])
from test_merging import *
bundle, seed = Bundle(sys.argv[1]), 0
while True:
    bundle.append(record_of(BASE.replace(mask_seed=seed)))
    print(seed, flush=True)
    seed += 1
"""
    arguments = [sys.executable, "-c", program, str(path), str(Path(__file__).parent)]
    with subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE) as process:
        for _ in range(20):
            said = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        said = (process.stdout.read().splitlines() or [said])[-1]
    merged = merge(path, store)
    assert len(merged.added) >= int(said) + 1 and len(merged.damaged) <= 1
    last = BASE.replace(mask_seed=1_000_000)
    assert merge(filled(path, last), store).added == [last.key]


def test_a_merge_that_was_killed_goes_on(store, tmp_path):
    configs = [BASE.replace(mask_seed=seed) for seed in range(300)]
    path = filled(tmp_path / "home.jsonl.gz", *configs)
    program = """
import sys
from randsparse.runs.store import Store
from randsparse.sweeps.merging import merge
merge(sys.argv[1], Store(sys.argv[2]))
"""
    process = subprocess.Popen([sys.executable, "-c", program, str(path), str(store.root)], env=environment())
    deadline = time.monotonic() + 60
    while len(store.keys) < 20 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.wait()
    have = len(store.keys)
    assert 20 <= have <= 300
    merged = merge(path, Store(store.root))
    assert (len(merged.present), len(merged.added)) == (have, 300 - have) and str(merged).count("\n") == 0
    assert len(store.frame()) == 300


def test_two_writers_may_add_to_one_bundle(store, path):
    one, two = Bundle(path), Bundle(path)
    for config in CONFIGS:
        one.append(record_of(config))
        two.append(record_of(config.replace(init_seed=1)))
    merged = merge(path, store)
    assert len(merged.added) == 2 * len(CONFIGS) and merged.damaged == []


def test_a_full_disk_is_said_and_the_records_before_are_whole(store, path, monkeypatch):
    bundle = Bundle(path)
    bundle.append(record_of(CONFIGS[0]))
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[: len(content) // 2]))
    with pytest.raises(StudyError, match="cannot write the bundle .*the disk is full"):
        bundle.append(record_of(CONFIGS[1]))
    monkeypatch.undo()
    assert merge(path, store).added == [CONFIGS[0].key]
    bundle.append(record_of(CONFIGS[2]))
    merged = merge(path, store)
    assert merged.added == [CONFIGS[2].key] and merged.damaged == []


def test_folders_patterns_and_several_paths_are_merged(store, tmp_path):
    away = tmp_path / "away"
    for name, config in zip(("a.jsonl", "b.jsonl.gz", "c.jsonl"), CONFIGS, strict=False):
        filled(away / name, config)
    (away / "notes.txt").write_text("not a bundle")
    assert merge(away, Store(tmp_path / "one")).added == keys(CONFIGS[:3])
    assert merge(str(away / "*.jsonl"), Store(tmp_path / "two")).added == keys([CONFIGS[0], CONFIGS[2]])
    several = merge([away / "c.jsonl", away, away / "c.jsonl"], store)
    assert several.added == keys([CONFIGS[2], CONFIGS[0], CONFIGS[1]]) and several.present == []


def test_what_is_no_bundle_is_one_clear_line(store, tmp_path):
    filled(tmp_path / "home.jsonl", BASE)
    (tmp_path / "empty").mkdir()
    for name in ("notes.jsonl", "notes.jsonl.gz"):
        (tmp_path / name).write_bytes(b"# Title\n\nText \xff\n{}\n")
    for missing in ("missing.jsonl", "*.gzip"):
        with pytest.raises(StudyError, match="there is no bundle"):
            merge([tmp_path / "home.jsonl", tmp_path / missing], store)
    with pytest.raises(StudyError, match=r"no bundles \(\*.jsonl or \*.jsonl.gz\)"):
        merge([tmp_path / "home.jsonl", tmp_path / "empty"], store)
    assert not store.root.exists()
    for name in ("notes.jsonl", "notes.jsonl.gz"):
        with pytest.raises(StudyError, match="is no bundle of records") as caught:
            merge(tmp_path / name, store)
        assert "\n" not in str(caught.value)


def test_a_bundle_is_not_added_to_another_file(tmp_path):
    text = b"# Title\nno end of line"
    for name, content in {"notes.md": text, "notes.gz": text, "other.gz": gzip.compress(text)}.items():
        path = tmp_path / name
        path.write_bytes(content)
        for use in (Bundle.check, lambda bundle: bundle.append(record_of(BASE))):
            with pytest.raises(StudyError, match="is no bundle that records can be added to"):
                use(Bundle(path))
        assert path.read_bytes() == content


def test_a_bundle_that_was_packed_later_goes_on_if_it_is_whole(store, tmp_path):
    content = gzip.compress(filled(tmp_path / "home.jsonl", *CONFIGS[:3]).read_bytes())
    path = tmp_path / "home.jsonl.gz"
    path.write_bytes(content)
    filled(path, CONFIGS[3])
    assert merge(path, store).added == keys(CONFIGS)
    path.write_bytes(content[:-3])
    with pytest.raises(StudyError, match="no bundle that records can be added to"):
        filled(path, CONFIGS[3])
    assert path.read_bytes() == content[:-3]
    merged = merge(path, Store(tmp_path / "cut"))
    assert merged.added == keys(CONFIGS[:3]) and [line.why for line in merged.damaged] == ["cut short"]


def test_a_bundle_is_not_added_to_where_another_packed_file_follows_it(tmp_path):
    path = filled(tmp_path / "home.jsonl.gz", CONFIGS[0])
    content = path.read_bytes() + gzip.compress(filled(tmp_path / "home.jsonl", CONFIGS[1]).read_bytes(), mtime=5)
    path.write_bytes(content)
    with pytest.raises(StudyError, match="no bundle that records can be added to"):
        filled(path, CONFIGS[2])
    assert path.read_bytes() == content
    assert merge(path, Store(tmp_path / "merged")).added == keys(CONFIGS[:2])


def test_a_last_line_without_its_end_is_kept(store, tmp_path):
    path = filled(tmp_path / "home.jsonl", *CONFIGS[:2])
    path.write_text(path.read_text().rstrip("\n"))
    assert merge(filled(path, CONFIGS[2]), store).added == keys(CONFIGS[:3])


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="cannot write the bundle"):
        Bundle(tmp_path / "file" / "home.jsonl").append(record_of(BASE))


def test_a_damaged_stored_record_is_set_aside_and_the_merged_one_takes_its_place(store, path):
    store.put(record_of(BASE))
    store.path(BASE).write_text("{")
    assert merge(filled(path, BASE), store).added == [BASE.key]
    assert store.get(BASE)["status"] == "done"
    assert store.path(BASE).with_name(f"{BASE.key}.json.corrupt").read_text() == "{"


def test_a_stored_record_of_another_schema_version_stays(store, path):
    store.put(record_of(BASE))
    text = sealed(store.path(BASE).read_text().replace('"schema": 1', '"schema": 2'))
    store.path(BASE).write_text(text)
    with pytest.raises(StudyError, match="schema version 2"):
        merge(filled(path, BASE), store)
    assert store.path(BASE).read_text() == text


def test_a_read_only_store_takes_nothing(store, path):
    with pytest.raises(StudyError, match="read-only"):
        merge(filled(path, BASE), Store(store.root, read_only=True))


def test_another_folder_of_results_is_merged_with_its_evaluations(store, tmp_path):
    from randsparse.questions.beyond_accuracy.calibration import Calibration
    from randsparse.runs import evaluations

    other = Store(tmp_path / "elsewhere")
    for config in CONFIGS[:3]:
        other.put(record_of(config))
    evaluations.save(CONFIGS[0], Calibration(), {"ece": 0.1}, environment(), other)
    evaluations.save(CONFIGS[1], Calibration(), {"ece": 0.2}, environment(), other)
    store.put(record_of(CONFIGS[0], reason="other"))
    evaluations.save(CONFIGS[1], Calibration(), {"ece": 0.3}, environment(), store)
    before = contents(store)
    (other.root / "runs" / "digits" / "cut.json").write_text("{")
    (other.root / "evaluations" / "digits" / "cut.json").write_text("[]")
    merged = merge(other.root, store)
    name = f"{CONFIGS[0].key}-{Calibration().key}"
    assert sorted(merged.added) == sorted([CONFIGS[1].key, CONFIGS[2].key, name])
    assert {tuple(conflict) for conflict in merged.conflicts} == {
        (CONFIGS[0].key, ("reason",)),
        (name.replace(CONFIGS[0].key, CONFIGS[1].key), ("values",)),
    }
    assert [line.path.name for line in merged.damaged] == ["cut.json", "cut.json"]
    assert before.items() <= contents(store).items()
    found = evaluations.load([CONFIGS[0]], [Calibration()], store)
    assert found[CONFIGS[0], Calibration()]["values"] == {"ece": 0.1}
    again = merge(other.root, store)
    assert again.added == [] and len(again.present) == 3 and len(again.conflicts) == 2
    with pytest.raises(StudyError, match="is the folder of results that records are to be merged into"):
        merge(store.root, store)
