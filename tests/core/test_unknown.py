"""What is said of names that nothing has."""

import pytest

from lambent.core import unknown

KNOWN = ("Rate", "Retry", "Circuit")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Retries", "Retry"), ("rate", "Rate"), ("CIRCIUT", "Circuit"), ("Colour", None)],
)
def test_the_known_names_are_told_and_the_nearest_is_proposed(name, meant):
    said = unknown.member("Flow", name, KNOWN)
    proposal = f" Did you mean {meant}?" if meant else ""
    assert said == f"Flow has no member {name}, but Circuit, Rate and Retry.{proposal}"


def test_one_known_name_stands_alone():
    assert unknown.member("Loop", "x", ["Depth"]) == "Loop has no member x, but Depth."
