"""State that counts beyond one lane: circuits and shared places, by function.

`LocalState` keeps it for one node. For circuits that open for all nodes of a store at once,
another implementation answers reads from what it last saw of the store, writes changes there,
and calls the listeners when another node's change arrives; the rules and the regulator stay
as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from lambent.events.flow.circuit import CLOSED, Circuit
from lambent.events.flow.places import Sharer

Listener = Callable[[], None]


class FlowState(Protocol):
    """Reads are quick and synchronous; what is written is read back at once on this node."""

    @property
    def portion(self) -> float:
        """Which part of a limit for the whole cluster is this node's; 1 on a single node."""
        ...

    def circuit(self, function: str) -> Circuit:
        """The function's circuit."""
        ...

    def change_circuit(self, function: str, circuit: Circuit) -> None:
        """Keep it; those who listen are called when its state changed."""
        ...

    def sharers(self, function: str) -> dict[str, Sharer]:
        """Who shares the function's places, by mapping; the dictionary may be changed."""
        ...

    def listen(self, function: str, key: str, level: int, listener: Listener) -> None:
        """Call `listener` when something of the function changed; higher levels first."""
        ...

    def ignore(self, function: str, key: str) -> None:
        """Call it no more."""
        ...

    def changed(self, function: str) -> None:
        """Something of the function changed: call those who listen."""
        ...


class LocalState:
    """The state of one node, in memory. Of `nodes` on one store, each keeps to an equal part
    of what is limited for all, and learns of circuits by its own calls."""

    def __init__(self, nodes: Callable[[], int] = lambda: 1) -> None:
        self._nodes = nodes
        self._circuits: dict[str, Circuit] = {}
        self._sharers: dict[str, dict[str, Sharer]] = {}
        self._listeners: dict[str, dict[str, tuple[int, Listener]]] = {}

    @property
    def portion(self) -> float:
        """One part for each node."""
        return 1.0 / max(self._nodes(), 1)

    def circuit(self, function: str) -> Circuit:
        """The function's circuit."""
        return self._circuits.get(function, CLOSED)

    def change_circuit(self, function: str, circuit: Circuit) -> None:
        """Keep it; those who listen are called when it gives way or not."""
        before = self.circuit(function)
        self._circuits[function] = circuit
        if (before.state, before.probing) != (circuit.state, circuit.probing):
            self.changed(function)

    def sharers(self, function: str) -> dict[str, Sharer]:
        """Who shares the function's places."""
        return self._sharers.setdefault(function, {})

    def listen(self, function: str, key: str, level: int, listener: Listener) -> None:
        """Call `listener` from now on."""
        listeners = self._listeners.setdefault(function, {})
        listeners[key] = (level, listener)
        self._listeners[function] = dict(sorted(listeners.items(), key=lambda one: -one[1][0]))

    def ignore(self, function: str, key: str) -> None:
        """Call it no more; a function that nobody listens to is forgotten."""
        listeners = self._listeners.get(function, {})
        listeners.pop(key, None)
        if not listeners:
            self._listeners.pop(function, None)
            self._circuits.pop(function, None)
            self._sharers.pop(function, None)

    def changed(self, function: str) -> None:
        """Call those who listen, higher levels first."""
        for _, listener in self._listeners.get(function, {}).values():
            listener()
