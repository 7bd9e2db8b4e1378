"""What runs inside the processes that become environments, before they do.

Loaded by file into zygotes (see `forking`), where Lambent itself cannot be imported: nothing
here imports anything but the standard library and its neighbours.
"""
