"""Many nodes on one store: who is there, whose turn it is, and who may use how much.

Nothing here coordinates by itself: the store's transactions do. A node alone on its store
runs the same code and finds nobody else.
"""
