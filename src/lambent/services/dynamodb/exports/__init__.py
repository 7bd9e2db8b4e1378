"""Exports of tables to S3, as they were at a time."""
