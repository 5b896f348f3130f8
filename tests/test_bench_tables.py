"""The results of the benchmarks of builds and containers."""

from bench.build import Layer, Row, changed, paired, problems, table
from bench.containers import Event, events_table

FAST = Row("fast", 14.26, ("vllm-wheel 1/1: Install vLLM", "node 1/2: COPY"), 530_000_000)
AGAIN = Row("again", 2.0, (), 0)


def test_layers_have_their_sizes() -> None:
    """An instruction that only changes settings makes no layer; a layer may be empty."""
    history = [
        {"CreatedBy": "", "Size": "7"},
        {"CreatedBy": "ENV A=B", "Size": "0"},
        {"CreatedBy": "RUN true", "Size": "0"},
        {"CreatedBy": "COPY a b", "Size": "5"},
    ]

    assert (Layer("x", 7), Layer("y", 0), Layer("z", 5)) == paired(["x", "y", "z"], history)


def test_changed_bytes() -> None:
    """The changed bytes are those of layers that the previous image does not have."""
    before = (Layer("x", 7), Layer("y", 3))
    after = (Layer("x", 7), Layer("z", 4), Layer("w", 1))

    assert (5, 0, 12) == (changed(before, after), changed(after, after), changed((), after))


def test_limits() -> None:
    """Every limit that is not kept has a sentence."""
    fast = Row("", 0, ("dependencies 1/1: RUN", *FAST.built), 700_000_000)

    assert () == problems(FAST, AGAIN)
    assert (
        "`--fast` rebuilds more than vLLM and later layers: dependencies 1/1: RUN",
        "`--fast` changes 0.700 GB",
        "a build without a change rebuilds layers",
    ) == problems(fast, FAST)
    assert ("`--fast` rebuilds nothing",) == problems(AGAIN, AGAIN)


def test_build_table() -> None:
    """The table has the number of layers that were built, and the first of them."""
    expected = """\
| build | seconds | layers built | first of them | bytes that change |
| --- | ---: | ---: | --- | ---: |
| fast | 14.3 | 2 | vllm-wheel 1/1: Install vLLM | 0.530 GB |
| again | 2.0 | 0 |  | 0.000 GB |"""

    assert expected == table((FAST, AGAIN))


def test_events_table() -> None:
    """Steps are sorted by their ends, each with the medians of all rounds."""
    runs = [
        [Event("b", 4.0, 3.0), Event("a", 1.0, 1.0)],
        [Event("a", 2.0, 2.0), Event("b", 5.0, 3.0)],
    ]
    expected = """\
| inv | took | ended at |
| --- | ---: | ---: |
| a | 1.5 s | 1.5 s |
| b | 3.0 s | 4.5 s |"""

    assert expected == events_table("inv", runs)
