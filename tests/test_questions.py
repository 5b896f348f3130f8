"""Questions to a node: the words of each, and the problems that each answer shows."""

import importlib.util
import json
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.plan import questions
from cluster.plan.questions import Question
from tests.clusters import HEAD, ROOT, SPARKS, WORKER

URL = "http://192.168.177.11:8000"
LAB = replace(SPARKS, name="lab")
QUESTIONS = {
    "joined": questions.joined(SPARKS, SPARKS.nodes),
    "any": questions.joined(SPARKS, ()),
    "reachable": questions.reachable(SPARKS, WORKER),
    "free": questions.free(SPARKS, "0.0.0.0", 8000),  # noqa: S104 (an address to ask about)
    "healthy": questions.healthy(SPARKS, URL),
    "completion": questions.completion(SPARKS, URL, prompt='Say "hi"', tokens=4, seconds=300.0),
}


def problems(question: Question, answer: object) -> list[str]:
    """Return the problems that an answer of the probe shows, as they are printed."""
    return [str(problem) for problem in question.problems(json.dumps(answer))]


@pytest.fixture(name="probe", scope="module")
def _probe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("probe", ROOT / "docker" / "probe.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name, node, condition, argv",
    [
        (
            "joined",
            HEAD,
            "Ray has spark1, spark2",
            ("ray-nodes", "--address", "192.168.177.11:6379", "--count", "2"),
        ),
        (
            "any",
            HEAD,
            "Ray answers",
            ("ray-nodes", "--address", "192.168.177.11:6379", "--count", "1"),
        ),
        (
            "reachable",
            WORKER,
            "the head answers",
            ("port", "--host", "192.168.177.11", "--port", "6379"),
        ),
        (
            "free",
            HEAD,
            "port 8000 is free",
            ("listen-free", "--host", "0.0.0.0", "--port", "8000"),  # noqa: S104 (as above)
        ),
        (
            "healthy",
            HEAD,
            "the model is ready",
            ("http", "--url", "http://192.168.177.11:8000/health", "--timeout", "5"),
        ),
        (
            "completion",
            HEAD,
            "the server completes a prompt",
            (
                *("http", "--url", "http://192.168.177.11:8000/v1/completions"),
                *("--method", "POST", "--body"),
                '{"prompt": "Say \\"hi\\"", "max_tokens": 4, "temperature": 0}',
                *("--key-env", "VLLM_API_KEY", "--timeout", "300"),
            ),
        ),
    ],
)
def test_words(name: str, node: object, condition: str, argv: tuple[str, ...]) -> None:
    """Every question has its node, condition and words; the API key is not among the words."""
    question = QUESTIONS[name]

    assert (node, condition, argv) == (question.node, question.condition, question.argv)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_probe_understands(probe: ModuleType, name: str) -> None:
    """The probe accepts every question, with and without a time to wait."""
    argv = QUESTIONS[name].argv

    for words in (argv, (*argv, "--wait", "2")):
        assert argv[0].replace("-", "_") == probe.parser().parse_args(words).ask.__name__


@pytest.mark.parametrize(
    "name, answer",
    [
        ("reachable", {"listening": True}),
        ("free", {"free": True}),
        ("healthy", {"status": 200, "body": ""}),
        ("completion", {"status": 200, "body": {"choices": [{"text": ""}]}}),
        ("any", {"nodes": []}),
    ],
)
def test_good_answers(name: str, answer: object) -> None:
    """A good answer shows no problem."""
    assert [] == problems(QUESTIONS[name], answer)


def test_joined() -> None:
    """Ray's list of nodes is compared with the nodes in question."""
    assert [
        (
            "spark1: not in the Ray cluster at 192.168.177.11:6379, expected with 192.168.177.11"
            " (next: `inv logs --node spark1`)"
        ),
        (
            "spark2: not in the Ray cluster at 192.168.177.11:6379, expected with 192.168.177.12"
            " (next: `inv logs --node spark2`)"
        ),
    ] == problems(QUESTIONS["joined"], {"nodes": []})


@pytest.mark.parametrize(
    "name, answer, expected",
    [
        pytest.param(
            "reachable",
            {"listening": False},
            "spark2: cannot reach Ray's head at 192.168.177.11:6379"
            " (start it with `inv head`; next: `inv logs --node spark1`)",
            id="no head",
        ),
        pytest.param(
            "free",
            {"free": False, "reason": "Address already in use"},
            "spark1: cannot listen on 0.0.0.0, port 8000: Address already in use"
            " (choose others with --host and --port, or stop the program that listens there)",
            id="port taken",
        ),
        pytest.param(
            "free",
            {},
            "spark1: cannot listen on 0.0.0.0, port 8000: no answer"
            " (choose others with --host and --port, or stop the program that listens there)",
            id="port unknown",
        ),
        pytest.param(
            "healthy",
            {"status": 503, "body": ""},
            "spark1: http://192.168.177.11:8000/health does not answer"
            " (next: `inv logs --node spark1`)",
            id="sick server",
        ),
        pytest.param(
            "completion",
            {"status": 401, "body": {"error": "Unauthorized"}},
            'spark1: the server did not complete a prompt: HTTP 401: {"error": "Unauthorized"}'
            " (next: `inv logs --node spark1`)",
            id="wrong key",
        ),
        pytest.param(
            "completion",
            {"status": 200, "body": {"choices": []}},
            'spark1: the server did not complete a prompt: HTTP 200: {"choices": []}'
            " (next: `inv logs --node spark1`)",
            id="no choices",
        ),
        pytest.param(
            "completion",
            {"error": "timed out"},
            "spark1: the server did not complete a prompt: timed out"
            " (next: `inv logs --node spark1`)",
            id="no response",
        ),
        pytest.param(
            "completion",
            [],
            "spark1: the server did not complete a prompt: no answer"
            " (next: `inv logs --node spark1`)",
            id="no answer",
        ),
    ],
)
def test_bad_answers(name: str, answer: object, expected: str) -> None:
    """Every bad answer is one problem with the next command."""
    assert [expected] == problems(QUESTIONS[name], answer)


@pytest.mark.parametrize(
    "question, expected",
    [
        (
            questions.reachable(LAB, WORKER),
            (
                "spark2: cannot reach Ray's head at 192.168.177.11:6379 (start it with"
                " `inv head --cluster lab`; next: `inv logs --node spark1 --cluster lab`)"
            ),
        ),
        (
            questions.healthy(LAB, URL),
            (
                "spark1: http://192.168.177.11:8000/health does not answer"
                " (next: `inv logs --node spark1 --cluster lab`)"
            ),
        ),
        (
            questions.completion(LAB, URL, prompt="", tokens=1, seconds=1),
            (
                "spark1: the server did not complete a prompt: no answer"
                " (next: `inv logs --node spark1 --cluster lab`)"
            ),
        ),
    ],
)
def test_commands_name_the_cluster(question: Question, expected: str) -> None:
    """The next command names the cluster when it is not the default one."""
    assert [expected] == problems(question, {})


def test_long_response() -> None:
    """A long response, such as a proxy's HTML page, is cut."""
    (problem,) = problems(QUESTIONS["completion"], {"status": 502, "body": "x" * 1000})

    assert (
        f'spark1: the server did not complete a prompt: HTTP 502: "{"x" * 299}'
        " (next: `inv logs --node spark1`)"
    ) == problem


def test_completed() -> None:
    """The completion is the text of the first choice."""
    answer = {"status": 200, "body": {"choices": [{"text": " one.\n"}]}}

    assert " one.\n" == questions.completed(json.dumps(answer))


@pytest.mark.parametrize(
    "text, expected",
    [
        pytest.param('{"free": true}\n', {"free": True}, id="one line"),
        pytest.param('a warning\n{"free": true}\n\n', {"free": True}, id="noise before"),
        pytest.param("", {}, id="nothing"),
        pytest.param("Traceback", {}, id="no JSON"),
        pytest.param("[1]", {}, id="no object"),
    ],
)
def test_fields(text: str, expected: object) -> None:
    """Only the last line counts, if it is a JSON object."""
    assert expected == questions.fields(text)


@given(
    name=st.sampled_from(sorted(QUESTIONS)),
    text=st.text()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["nodes", "status", "body", "choices", "text", "error"])
                | st.text(),
                inner,
            )
        ),
    ).map(json.dumps),
)
def test_any_answer(name: str, text: str) -> None:
    """Any output of the probe gives problems of a node, never an exception."""
    assert all(str(problem).startswith("spark") for problem in QUESTIONS[name].problems(text))
