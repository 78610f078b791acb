"""A derived copy of the rows of all records, in one Parquet file: the records stay the truth, the copy can go.

A row stands for its file as long as that has the same name, time and size; what differs is parsed again. A cache that
is missing, cannot be read or was made by other code is made anew, and one that cannot be written is done without.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from randsparse import files
from randsparse.errors import StudyError
from randsparse.runs import config, records
from randsparse.runs.config import DEFAULTS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FILE = "frame.parquet"
BATCH = 5_000  # rows that are made from Python values at a time, which take more memory than the table
_WRITING = threading.Lock()
_CODE = [Path(file) for file in (config.__file__, records.__file__, __file__)]
# Hashed now, not when a cache is written: by then the files may be newer than the code that runs.
_MADE_BY = hashlib.sha256(b"".join(path.read_bytes() for path in _CODE)).hexdigest()


class Stamped(NamedTuple):
    """A record file, as a scan of the folders finds it: equal ones are taken to hold the same."""

    dataset: str
    key: str
    mtime_ns: int
    size: int


Row = tuple[Stamped, dict[str, Any], bool]
"""What one file gives: the stamp of what was read, its row, and whether the row is shown."""


def load(path: Path, found: list[Stamped], read: Callable[[Stamped], Row | None], save: bool) -> pa.Table | None:
    """Return the rows of the files `found`, in their order, and bring the cache at `path` up to date if `save`.

    `read` gives the row of a file that the cache does not have, or None for one without. A row that is not shown is
    kept, so that its file is not read again. None if there are values that the table's types cannot hold.
    """
    table = _read(path)
    stamps = list(_stamps(table))
    if stamps == found:
        return _shown(table)
    known = dict(zip(stamps, range(len(table)), strict=True))
    rows = [known.get(stamp) for stamp in found]
    changed = [stamp for stamp, row in zip(found, rows, strict=True) if row is None]
    tables, fresh = [table], {}
    try:
        for start in range(0, len(changed), BATCH):
            batch = {stamp: row for stamp in changed[start : start + BATCH] if (row := read(stamp)) is not None}
            fresh |= {stamp: len(table) + len(fresh) + index for index, stamp in enumerate(batch)}
            tables.append(_table(batch.values()))
    except (TypeError, ValueError, OverflowError):  # those of Arrow are among them
        return None
    rows = [fresh.get(stamp) if row is None else row for stamp, row in zip(found, rows, strict=True)]
    table = _take(_concatenated(tables), [row for row in rows if row is not None])
    if save:
        _write(path, table)
    return _shown(table)


def frame(table: pa.Table, columns: Iterable[str]) -> pd.DataFrame:
    """Return `columns` of the table as `records.frame_of` makes them from rows, types included."""
    import pandas as pd

    if not len(table):
        return records.frame_of(())[list(columns)]
    return pd.DataFrame({name: _series(table.column(name), name) for name in columns}, copy=False)


def _series(column: pa.ChunkedArray, name: str) -> Any:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    if isinstance(DEFAULTS.get(name), tuple):
        codes = column.combine_chunks().dictionary_encode()
        values = np.empty(len(codes.dictionary), dtype=object)
        values[:] = [_tuples(json.loads(text)) for text in codes.dictionary.to_pylist()]
        return values[codes.indices.to_numpy()]
    if pa.types.is_string(column.type) and column.null_count == len(column):
        return pd.Series([None] * len(column), dtype=object)
    if name in (*records.OPTIONAL, "threads"):
        return column.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    return column.to_pandas()


def _tuples(value: Any) -> Any:
    """Return JSON lists, however nested, as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


@cache
def _schema() -> pa.Schema:
    """Rows, their stamps, and whether they are shown; the metadata has a hash of the code that makes them."""
    import pyarrow as pa

    types = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64(), tuple: pa.string()}
    columns: dict[str, pa.DataType] = {name: pa.string() for name in ("key", "status", "reason", "device", "hardware")}
    columns |= {name: pa.float64() for name in (*records.NUMBERS, "images")}
    columns |= {name: types[type(default)] for name, default in DEFAULTS.items() if default is not None}
    columns |= {name: pa.int64() for name in (*records.OPTIONAL, "threads", "mtime_ns", "size")}
    columns |= {"shown": pa.bool_()}
    return pa.schema(columns.items(), metadata={"made_by": _MADE_BY})


def _table(rows: Iterable[Row]) -> pa.Table:
    """Return rows as a table, by way of the frame that they make, so that both have the same values."""
    import pyarrow as pa

    rows = list(rows)
    made = records.frame_of(row for _, row, _ in rows)
    columns = {name: made[name] for name in made.columns}
    columns |= {name: made[name].map(json.dumps) for name, value in DEFAULTS.items() if isinstance(value, tuple)}
    columns |= {name: [getattr(stamp, name) for stamp, _, _ in rows] for name in Stamped._fields}
    columns["shown"] = [shown for _, _, shown in rows]
    schema = _schema()
    arrays = [pa.array(columns[field.name], type=field.type, from_pandas=True) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _stamps(table: pa.Table) -> Iterable[Stamped]:
    return zip(*(table.column(name).to_pylist() for name in Stamped._fields), strict=True)


def _shown(table: pa.Table) -> pa.Table:
    """Return the rows that are shown; those of a large store are copied only if some are not."""
    import pyarrow.compute as pc

    shown = table.column("shown")
    return table.filter(shown) if pc.any(pc.invert(shown)).as_py() else table


def _take(table: pa.Table, rows: list[int]) -> pa.Table:
    import pyarrow as pa

    return table.take(pa.array(rows, type=pa.int64()))


def _concatenated(tables: list[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(tables).combine_chunks()


def _read(path: Path) -> pa.Table:
    """Return the cached table, or an empty one if there is none that this code has made and that is whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if file.schema_arrow.equals(_schema(), check_metadata=True):
                return file.read()
    except (OSError, ValueError, KeyError, pa.ArrowException, MemoryError):
        pass
    return _schema().empty_table()


def _write(path: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(table, content, write_page_checksum=True)
    with contextlib.suppress(OSError, StudyError), _WRITING:
        path.parent.mkdir(exist_ok=True)
        files.clean(path.parent)
        files.write(path, content.getvalue())
