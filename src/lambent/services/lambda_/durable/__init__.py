"""Durable executions: functions that are invoked again and again until their work is done.

`machine` and `checks` are pure rules, `book` is one execution within a transaction, the others
are the effects around them; `docs/decisions/0015-durable-executions.md` says how they fit.
"""
