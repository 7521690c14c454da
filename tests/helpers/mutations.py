"""Damage to files as it happens and as it is meant: bytes, texts, cells and values that are not what they should be."""

from __future__ import annotations

import copy
import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from safetensors.torch import load_file, save_file

HOSTILE_TEXTS = (
    "", " ", "nan", "NaN", "inf", "-inf", "-999", "1e400", "0x1F", "5;6", "1_000", "2026-11-29", "٣", "\u202e",
    "\x1b[2J", "\x00", "=1+1", "'", '"', "<script>", "[red]", "null", "[]", "{}", "[[[[", "Xx", "H-1",
    "Vac", "NaCl" * 400, "9" * 400, "os:system", "../../etc/passwd", "/dev/zero", "!!python/object:os.system", "%s%n",
    "\ud7ff", "é" * 50,
)  # fmt: skip
"""What nobody writes into a cell on purpose, and some do."""

HOSTILE_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 1e308, -1e308, 5e-324, float("nan"), float("inf"), [],
    {}, [[]], {"a": None}, [1, 2, 3], "x", *HOSTILE_TEXTS[:12],
)  # fmt: skip
"""What stands in a place of JSON or YAML where something else should."""

MOST = 1 << 20
"""Largest file that is made, bytes."""


def mutate(path: Path, seed: int) -> str:
    """Damage a file in place, and return in a few words how."""
    rng = random.Random(seed)
    by_kind: dict[str, Callable[[Path, random.Random], str]] = {
        ".json": _json,
        ".yaml": _yaml,
        ".csv": _csv,
        ".parquet": _parquet,
        ".safetensors": _tensors,
    }
    suffix = path.suffix.lower()
    damage = by_kind.get(suffix, _lines)
    if rng.random() < (0.5 if suffix in {".parquet", ".safetensors"} else 0.3):
        damage = _bytes
    return damage(path, rng)


def _bytes(path: Path, rng: random.Random) -> str:
    content = bytearray(path.read_bytes())
    kind = rng.choice(["cut", "flip", "insert", "double", "replace", "empty", "zeros"])
    place = rng.randrange(len(content) + 1)
    if kind == "cut":
        del content[place:]
    elif kind == "flip":
        for _ in range(rng.choice([1, 1, 4, 64])):
            if content:
                content[rng.randrange(len(content))] = rng.randrange(256)
    elif kind == "insert":
        content[place:place] = rng.randbytes(rng.choice([1, 16, 4096]))
    elif kind == "double":
        content += content[place : place + MOST]
    elif kind == "replace":
        content = bytearray(
            rng.choice([b"null", b"[]", b"{}", b"1", b"[" * 100_000, b"\xff\xfe{}", b"PAR1", b"\n" * 1000])
        )
    elif kind == "empty":
        content.clear()
    else:
        content[place : place + 64] = bytes(64)
    path.write_bytes(content)
    return f"bytes: {kind} at {place}"


def _lines(path: Path, rng: random.Random) -> str:
    """Damage to a text by its lines and words."""
    lines = path.read_text().splitlines()
    row = rng.randrange(len(lines))
    kind = rng.choice(["drop", "double", "swap", "word", "word", "word", "number"])
    if kind == "drop":
        del lines[row]
    elif kind == "double":
        lines.insert(row, lines[row])
    elif kind == "swap":
        other = rng.randrange(len(lines))
        lines[row], lines[other] = lines[other], lines[row]
    else:
        words = lines[row].split(" ")
        place = rng.randrange(len(words))
        words[place] = (
            rng.choice(HOSTILE_TEXTS) if kind == "word" else str(rng.uniform(-2, 2) * 10 ** rng.randrange(-8, 9))
        )
        lines[row] = " ".join(words)
    path.write_text("\n".join(lines) + "\n", errors="surrogateescape")
    return f"line {row + 1}: {kind}"


def _json(path: Path, rng: random.Random) -> str:
    content, how = _value(json.loads(path.read_text()), rng)
    path.write_text(json.dumps(content))
    return how


def _yaml(path: Path, rng: random.Random) -> str:
    content, how = _value(yaml.safe_load(path.read_text()), rng)
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    return how


def _value(content: Any, rng: random.Random) -> tuple[Any, str]:
    """Damage one place of nested lists and dictionaries."""
    content = copy.deepcopy(content)
    places: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, child in list(pairs):
            places.append((node, key))
            visit(child)

    visit(content)
    if not places:
        return rng.choice(HOSTILE_VALUES), "the whole"
    parent, key = rng.choice(places)
    kind = rng.choice(["value", "value", "value", "drop", "rename", "nest", "swap"])
    if kind == "value":
        parent[key] = rng.choice(HOSTILE_VALUES)
    elif kind == "drop":
        del parent[key]
    elif kind == "rename" and isinstance(parent, dict):
        parent[rng.choice(HOSTILE_TEXTS)] = parent.pop(key)
    elif kind == "nest":
        parent[key] = [parent[key]]
    else:
        other, place = rng.choice(places)
        parent[key] = copy.deepcopy(other[place])
    return content, f"{key!r}: {kind}"


def _csv(path: Path, rng: random.Random) -> str:
    rows = list(csv.reader(io.StringIO(path.read_text(), newline="")))
    width = len(rows[0])
    column, row = rng.randrange(width), rng.randrange(len(rows))
    kind = rng.choice(["cell", "cell", "cell", "header", "drop", "double", "ragged", "none", "column"])
    if kind == "cell" and len(rows) > 1:
        row = rng.randrange(1, len(rows))
        rows[row][column] = rng.choice(HOSTILE_TEXTS)
    elif kind == "header":
        rows[0][column] = rng.choice([*HOSTILE_TEXTS, *rows[0]])
    elif kind == "drop":
        for each in rows:
            del each[column]
    elif kind == "double":
        rows.insert(row, list(rows[row]))
    elif kind == "ragged":
        rows[row] = rows[row][:column] + [rng.choice(HOSTILE_TEXTS)] * rng.randrange(3)
    elif kind == "none":
        del rows[1:]
    else:
        text = rng.choice(HOSTILE_TEXTS)
        for each in rows[1:]:
            each[column] = text
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    path.write_text(stream.getvalue(), errors="replace")
    return f"column {column}, row {row}: {kind}"


def _parquet(path: Path, rng: random.Random) -> str:
    table = pq.read_table(path)
    place = rng.randrange(table.num_columns)
    name = table.column_names[place]
    kind = rng.choice(["cell", "cell", "text", "none", "drop", "rename", "type", "empty", "double", "metadata"])
    column, n = table[name], table.num_rows
    if kind == "cell" and n:
        cells = column.to_pylist()
        row = rng.randrange(n)
        cells[row] = rng.choice([None, *HOSTILE_TEXTS] if isinstance(cells[row], str) else [None, -1, 0, 10**9, 300])
        table = table.set_column(place, table.schema.field(place), _cells(cells, column))
    elif kind in {"text", "type"}:
        cells = [rng.choice(HOSTILE_TEXTS)] * n if kind == "text" else [rng.choice([True, 1.5, 7, b"x"])] * n
        table = table.set_column(place, name, pa.array(cells))
    elif kind == "none":
        table = table.set_column(place, name, pa.nulls(n))
    elif kind == "drop":
        table = table.remove_column(place)
    elif kind == "rename":
        names = list(table.column_names)
        names[place] = rng.choice([*HOSTILE_TEXTS, *names]).encode(errors="replace").decode()
        table = table.rename_columns(names)
    elif kind == "empty":
        table = table.slice(0, 0)
    elif kind == "double":
        table = pa.concat_tables([table, table])
    else:
        table = table.replace_schema_metadata({rng.choice(HOSTILE_TEXTS): rng.choice(HOSTILE_TEXTS) for _ in range(3)})
    pq.write_table(table, path)
    return f"{name}: {kind}"


def _cells(cells: list[Any], column: Any) -> Any:
    """Cells as the column has them; as they are where that cannot be."""
    try:
        return pa.array(cells, type=column.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return column


def _tensors(path: Path, rng: random.Random) -> str:
    from safetensors import safe_open

    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata() or {})
    name = rng.choice(sorted(tensors))
    tensor = tensors[name]
    kind = rng.choice(["nan", "infinite", "shape", "type", "drop", "rename", "header"])
    if kind in {"nan", "infinite"} and tensor.is_floating_point():
        tensors[name] = torch.full_like(tensor, float("nan" if kind == "nan" else "inf"))
    elif kind == "shape":
        tensors[name] = torch.zeros(*tensor.shape, 2)
    elif kind == "type":
        tensors[name] = torch.zeros(
            tensor.shape, dtype=rng.choice([torch.int64, torch.bool, torch.float16, torch.complex64])
        )
    elif kind == "drop":
        del tensors[name]
    elif kind == "rename":
        tensors[f"{name}.x"] = tensors.pop(name)
    else:
        for key, text in metadata.items():
            content, _ = _value(json.loads(text), rng)
            metadata[key] = json.dumps(content)
    save_file(tensors, path, metadata=metadata)
    return f"{name}: {kind}"
