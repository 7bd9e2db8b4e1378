"""CloudWatch: metrics, alarms and dashboards."""
