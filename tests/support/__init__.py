"""What tests share: nodes, clients, raw HTTP."""
