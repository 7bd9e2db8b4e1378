"""Amazon DynamoDB (API version 2012-08-10) on the store's records."""
