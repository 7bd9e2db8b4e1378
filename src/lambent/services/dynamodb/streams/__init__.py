"""DynamoDB Streams: what changed in a table, in order, for 24 hours."""
