"""IAM: users, groups, roles, policies and access keys, stored per account."""
