"""The shared store: one schema of a PostgreSQL database, for as many nodes as one likes.

`store.py` is the store itself. `lines.py` shares database transactions among bodies;
`shared.py` runs them in one, upon the state of `overlay.py`; `records.py`, `work.py`, `log.py`
and `links.py` are what a body can do; `known.py` is what it need not ask.
`reads.py` and `groups.py` ask the database, `writes.py` and `alone.py` change it.
`telling.py` and `listening.py` are how nodes wake each other; `connecting.py` and `schema.py`
are what they say; `blobs.py` keeps the bytes.
"""

from lambent.store.backends.postgresql.store import open_postgresql

__all__ = ["open_postgresql"]
