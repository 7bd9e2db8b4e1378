"""Where everything durable lies: records, work, log and blobs, behind one contract."""
