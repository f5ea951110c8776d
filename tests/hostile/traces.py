"""Where words are left: in files, in rows of whatever table, on the pages of a PostgreSQL server."""

from collections.abc import Iterable
from pathlib import Path

import psycopg
from psycopg import sql

from tests.hostile.probe import forms, holds

#: PostgreSQL's write-ahead log ages out by itself, as the documents say.
LOG = Path("pg_wal")


def in_files(folder: Path, words: Iterable[str], *, without: Iterable[Path] = ()) -> list[str]:
    """The files under a folder that hold any of the words, by their paths there."""
    needles = [form for word in words for form in forms(word)]
    left_out = {folder / path for path in without}
    found = []
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if not left_out.isdisjoint(file.parents):
            continue
        try:
            data = file.read_bytes() if file.is_file() else b""
        except FileNotFoundError:  # a server's temporary file
            continue
        if holds(data, needles):
            found.append(str(path))
    return found


def in_rows(url: str, words: Iterable[str]) -> list[str]:
    """The tables, system catalogs included, that have a row with any of the words in any column of any type."""
    needles = [form for word in words for form in forms(word)]
    found = []
    with psycopg.connect(url, autocommit=True) as conn:
        tables = conn.execute(
            "SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
            " WHERE relkind IN ('r', 'm') AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg_t%'"
        ).fetchall()
        for schema, table in tables:
            # A row as text holds its bytes in hexadecimal, and jsonb and arrays as they are written.
            rows = conn.execute(sql.SQL("SELECT each::text FROM {} AS each").format(sql.Identifier(schema, table)))
            if any(holds(row.encode(), needles) for (row,) in rows if row is not None):
                found.append(f"{schema}.{table}")
    return found


def in_pages(url: str, words: Iterable[str]) -> list[str]:
    """The files of a server's data folder that hold any of the words after a checkpoint, its write-ahead log aside.

    Those of this database by the names of their relations.
    """
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CHECKPOINT")
        (folder,) = conn.execute("SHOW data_directory").fetchone() or ("",)
        others = conn.execute("SELECT oid::text FROM pg_database WHERE datname <> current_database()").fetchall()
        files = conn.execute("SELECT pg_relation_filepath(oid), relname FROM pg_class WHERE relfilenode > 0").fetchall()
    names: dict[str, str] = dict(files)
    without = [LOG, *(Path("base") / oid for (oid,) in others)]
    return [names.get(file, file) for file in in_files(Path(folder), words, without=without)]
