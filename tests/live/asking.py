"""A program for the laptop of the tests: asks machines and engines over SSH.

`python -m tests.live.asking DESTINATIONS QUESTION SECONDS` prints JSON.
"""

import json
import sys
import time
from contextlib import closing

from cluster.errors import NodeError
from cluster.facts.asking import no_answer
from cluster.host import Host
from cluster.machine import hosts
from cluster.machine.engines import Engines


def main(destinations: str, question: str, seconds: str) -> None:
    """Print the answer or problem of each machine, the seconds, and the names of the engines.

    The engines are asked if the time limit is 0.
    """
    machines = {name: Host(name=name, ssh_host=name) for name in destinations.split(",")}
    begin = time.monotonic()
    results = hosts.ask(machines, dict.fromkeys(machines, question), float(seconds) or 60)
    duration = time.monotonic() - begin
    texts = {
        name: str(no_answer(machines[name], result.error)) if result.code else result.output.strip()
        for name, result in results.items()
    }
    engines = {} if float(seconds) else {name: engine_name(machines[name]) for name in machines}
    sys.stdout.write(json.dumps((texts, duration, engines)))


def engine_name(host: Host) -> str:
    """Return the name that an engine has, or its problem."""
    try:
        with closing(Engines()) as engines, engines.api(host) as api:
            return str(api.info()["Name"])
    except NodeError as error:
        return str(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
