"""Imports of S3 objects into new tables."""
