"""One file per store; each passes the conformance suite in `tests/store`."""
