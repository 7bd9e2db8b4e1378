"""Dead letters as a recovery tool: Lambent's own API on top of dead-letter queues.

A dead letter is an ordinary message of an ordinary queue: SQS's own API shows the same.
"""
