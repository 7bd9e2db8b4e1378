"""Composition root: the only file that names concrete classes."""
