"""The embedded store: one SQLite file per data folder, owned by one process.

`store.py` is the store itself; `engine.py` runs transactions and `commit.py` makes them
durable, many in one commit; `records.py`, `work.py`, `log.py` and `blobs.py` are the four
primitives; `folder.py` and `schema.py` open and migrate the data folder.
"""

from lambent.store.backends.sqlite.store import open_sqlite

__all__ = ["open_sqlite"]
