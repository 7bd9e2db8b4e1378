"""Backups of tables, and tables as they were: on-demand backups and point-in-time recovery."""
