"""Amazon CloudWatch Logs: groups and streams on the store's `log` primitive."""
