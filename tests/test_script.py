"""A plan as a script."""

from cluster.plan import script
from cluster.plan.step import Folder, Remove, Together

MAKE, REMOVE = Folder(place="link", path="/s"), Remove(place="spark1", path="/s/spark1")
LATER = Remove(place="spark2", path="/s/spark2")


def test_text() -> None:
    """Each step stands under a comment that says where and what, with a line between."""
    expected = """\
# link: Make a folder
mkdir -p -m 700 /s

# spark1: Remove the run state
rm -rf -- /s/spark1
"""

    assert expected == script.text((MAKE, REMOVE))


def test_flat() -> None:
    """Branches stand one after the other, however deep."""
    plan = (MAKE, Together(branches=((REMOVE, Together(branches=((LATER,),))), (MAKE,))))

    assert (MAKE, REMOVE, LATER, MAKE) == script.flat(plan)


def test_nothing() -> None:
    """No steps are no text."""
    assert not script.text(())
