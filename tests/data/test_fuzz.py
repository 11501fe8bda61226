"""Files of any bytes, read and cleaned by every kind: nothing leaves but a DataError.

`FUZZ_EXAMPLES=20000 pytest tests/data/test_fuzz.py` tries more of them, others each time.
"""

import contextlib
import datetime
import decimal
import io
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from finetune.core.errors import DataError
from finetune.core.files import line, write_jsonl
from finetune.core.schema import NearDuplicates
from finetune.data import readers, sources
from finetune.data.batches import RowWork, batches
from finetune.tasks import registry

hypothesis = pytest.importorskip("hypothesis", reason="pip install -r requirements.txt")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

ASKED = int(os.environ.get("FUZZ_EXAMPLES", "0"))
EXAMPLES = ASKED or 60
FIELDS = {kind: registry.options(kind).Task.fields for kind in registry.names()}
NAMES = sorted({"id", *(n for f in FIELDS.values() for n in (*f.required, *f.optional))})
NEAR = NearDuplicates(threshold=0.8, shingle_words=3, permutations=64, bands=16)

# Unpaired surrogates too, which JSON can escape.
characters = st.characters(exclude_categories=())
texts = st.one_of(
    st.text(characters, max_size=20),
    st.sampled_from(["", " ", "1", "$1,299.00", "1_0", "1e999", "nan", "#### 4", "Ann: Hi.", "\0"]),
    st.from_regex(r"[$€]?\d{1,400}([.,]\d+)?( USD)?", fullmatch=True),
)
numbers = st.one_of(
    st.integers(), st.integers(10**4290, 10**4299), st.floats(), st.decimals(allow_nan=False)
).filter(lambda n: not isinstance(n, decimal.Decimal) or abs(n.adjusted()) < 20)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
rows = st.dictionaries(st.sampled_from(NAMES), texts | values, max_size=len(NAMES))
# Rows of right types as well: these come as far as the rules of a kind.
right = st.fixed_dictionaries(dict.fromkeys(NAMES, texts | numbers))
many = st.lists(rows | right, max_size=4)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Some bytes of a file changed, taken out, put in or repeated."""
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content)))
        size = draw(st.integers(0, 8))
        new = draw(st.binary(max_size=4) | st.sampled_from([b'"', b"\r", b"\n", b",", b"\0", b"]"]))
        content = content[:at] + new + content[at + size :]
    return content


def plain(value: object) -> str:
    return str(value)


def as_json(made: list[dict[str, Any]]) -> bytes:
    return json.dumps(made, default=plain).encode()


def as_jsonl(made: list[dict[str, Any]]) -> bytes:
    return "".join(f"{line(row)}\n" for row in made).encode()


def as_csv(made: list[dict[str, Any]]) -> bytes:
    import csv

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(NAMES)
    writer.writerows([[row.get(name, "") for name in NAMES] for row in made])
    return text.getvalue().encode("utf-8", "surrogatepass")


TYPES = st.sampled_from(
    [
        pa.string(), pa.large_string(), pa.binary(), pa.int8(), pa.uint64(), pa.float16(),
        pa.float64(), pa.bool_(), pa.timestamp("s"), pa.timestamp("ms", tz="UTC"), pa.date32(),
        pa.date64(), pa.time64("us"), pa.duration("ns"), pa.decimal128(20, 3),
        pa.list_(pa.string()), pa.list_(pa.binary()), pa.struct([("text", pa.string())]),
        pa.map_(pa.string(), pa.int8()),
        pa.dictionary(pa.int32(), pa.string()), pa.null(),
    ]
)  # fmt: skip
LEAVES = [
    None, "x", b"\xff", 1, 2.5, True, ["x"], [b"\xff"], {"text": "x"}, [("k", 1)],
    datetime.date(2020, 1, 1), decimal.Decimal("1.5"), datetime.time(1), 2**53, -(2**53),
]  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Parquet with columns of any type."""
    columns = []
    count = draw(st.integers(0, 3))
    for _ in NAMES:
        kind = draw(TYPES)
        cells = draw(st.lists(st.sampled_from(LEAVES) | texts, min_size=count, max_size=count))
        columns.append(_column(cells, kind))
    content = io.BytesIO()
    try:
        made = pa.Table.from_arrays(columns, names=NAMES)
        pa.parquet.write_table(made, content, compression=draw(st.sampled_from(["none", "snappy"])))
    except pa.ArrowException:  # a type that Parquet lacks
        return b""
    return content.getvalue()


def _column(cells: list[Any], kind: pa.DataType) -> pa.Array:
    """The cells as far as they are of a type, or their place in it; null for the others."""
    made = [_cell(cell, kind) for cell in cells]
    return pa.concat_arrays(made) if made else pa.array([], kind)


def _cell(cell: Any, kind: pa.DataType) -> pa.Array:
    errors = (pa.ArrowException, TypeError, ValueError, OverflowError)
    with contextlib.suppress(*errors):
        return pa.array([cell], kind)
    with contextlib.suppress(*errors):
        return pa.array([cell if isinstance(cell, int) else 2**53], pa.int64()).cast(kind)
    return pa.nulls(1, kind)


contents = {
    "a.json": st.binary(max_size=40) | many.map(as_json).flatmap(damaged),
    "a.jsonl": st.binary(max_size=40) | many.map(as_jsonl).flatmap(damaged),
    "a.csv": st.binary(max_size=40) | many.map(as_csv).flatmap(damaged),
    "a.tsv": st.binary(max_size=40) | many.map(as_csv).flatmap(damaged),
    "a.parquet": tables() | tables().flatmap(damaged),
}


def read_and_clean(path: Path, raw: Path) -> None:
    """What fetch and prepare do with a file, for every kind."""
    for kind, fields in FIELDS.items():
        mapping = {name: name for name in (*fields.required, *fields.optional)}
        for with_id in ({}, {"id": "id"}):
            placed = readers.read(path)
            write_jsonl(raw, sources._raw_rows("train", placed, {**mapping, **with_id}, fields))
            work = RowWork(kind, None, None, path.name, NEAR, 0, False, ("US",))
            for batch in batches(raw):
                clean = work(batch)
                assert len(clean.columns) == clean.lines.count(b"\n")
                assert clean.counts["rows"] == len(clean.columns) + len(clean.bad)
                for bad in clean.bad:
                    assert len(bad["reason"]) < 500
                    line(bad).encode()


@pytest.mark.parametrize("name", contents)
def test_nothing_but_a_data_error_leaves_a_file(tmp_path, name):
    path, raw = tmp_path / name, tmp_path / "raw.jsonl"

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=not ASKED,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(contents[name])
    def tried(content: bytes) -> None:
        path.write_bytes(content)
        said = ""
        try:
            read_and_clean(path, raw)
        except DataError as error:
            said = str(error)
        assert "\n" not in said
        assert len(said) < 1000

    tried()


def test_rows_that_are_right_are_read_as_they_were(tmp_path):
    """The counterpart: what the fuzzing takes for reading is no refusal of everything."""
    path = tmp_path / "a.jsonl"
    made = [dict.fromkeys(NAMES, f"Ann: It is {n}. #### 4") for n in range(3)]
    path.write_bytes(as_jsonl(made))
    assert [row for _, row in readers.read(path)] == made
