"""The delivery engine: every asynchronous thing in the system goes through it."""
