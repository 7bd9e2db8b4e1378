"""Repeatable load runs: Lambent beside its peers, and its parts alone."""
