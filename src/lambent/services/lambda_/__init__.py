"""AWS Lambda: functions, invocations, permissions, event source mappings."""
