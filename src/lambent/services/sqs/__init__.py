"""Amazon SQS: queues on the store's `work` primitive."""
