"""How hosts are reached, and the meaning of real error messages of ssh and Docker."""

import pytest

from cluster.errors import Problem
from cluster.host import THIS_MACHINE, Host, host_problem

REMOTE = Host(name="spark2", ssh_host="spark-02")
LOCAL = Host(name="spark1")
CLIENT = (
    'error during connect: Get "http://docker.example.com/v1.24/version": command [ssh -- spark-02 '
    "docker system dial-stdio] has exited with exit status {code}, please make sure the URL is "
    "valid, and Docker 18.09 or later is installed on the remote host: stderr={error}\n"
)
"""The Docker client's message around an error of ssh."""
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:uUSjIBvUigh7Y/kBQSuS4HKcClXcJXpsG5AqE4fchb4.
Please contact your system administrator.
Add correct host key in /opt/spark/.ssh/known_hosts to get rid of this message.
Offending ED25519 key in /opt/spark/.ssh/known_hosts:1
  remove with:
  ssh-keygen -f "/opt/spark/.ssh/known_hosts" -R "192.168.177.11"
Host key for 192.168.177.11 has changed and you have requested strict checking.
Host key verification failed.
"""
NO_CONNECTION = "ssh: connect to host 192.168.177.11 port 22: "
DENIED = (
    "permission denied while trying to connect to the Docker daemon socket at "
    'unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.24/version": dial unix '
    "/var/run/docker.sock: connect: permission denied\n"
)
STOPPED = (
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. "
    "Is the docker daemon running?\n"
)
HIDDEN = (
    "Cannot connect to the Docker daemon at http://docker.example.com. "
    "Is the docker daemon running?\n"
)
NO_BUILDX = """\
ERROR: BuildKit is enabled but the buildx component is missing or broken.
       Install the buildx component to build images with BuildKit:
       https://docs.docker.com/go/buildx/
"""
SDK_ERROR = "Error while fetching server API version: ('Connection aborted.', {error})"
NO_GPU = (
    "500 Server Error for http+docker://localhost/v1.41/containers/1/start: Internal Server Error "
    '("could not select device driver "nvidia" with capabilities: [[gpu]]")'
)

SSH_ERRORS = {
    CHANGED: (
        "the host key of spark-02 has changed",
        "if the machine was reinstalled: `ssh-keygen -R 192.168.177.11`, then `ssh spark-02`",
    ),
    "Host key verification failed.\n": (
        "the host key of spark-02 is unknown",
        "run `ssh spark-02` once, and accept the key if its fingerprint is right",
    ),
    "root@192.168.177.11: Permission denied (publickey).\n": (
        "spark-02 rejected the SSH login (publickey)",
        "`ssh-copy-id spark-02`, or set user and key in ~/.ssh/config",
    ),
    "ssh: Could not resolve hostname spark-02: Temporary failure in name resolution\n": (
        "no address found for spark-02",
        "correct SSH_HOST or the name given, or add the machine to ~/.ssh/config",
    ),
    f"{NO_CONNECTION}Connection refused\n": (
        "no SSH server is listening on spark-02, port 22",
        "start it there: `sudo systemctl start ssh`",
    ),
    f"{NO_CONNECTION}Connection timed out\n": (
        "spark-02 does not answer: Connection timed out",
        "check that it is on, and on this network: `ssh -v spark-02`",
    ),
    f"{NO_CONNECTION}No route to host\n": (
        "spark-02 does not answer: No route to host",
        "check that it is on, and on this network: `ssh -v spark-02`",
    ),
}
LOST = (
    "the SSH connection to spark-02 was lost",
    "check it with `ssh spark-02`, then run the same command again",
)
REMOTE_START = (
    "the Docker engine is not running",
    "`ssh -t spark-02 'sudo systemctl start docker'`",
)
REMOTE_ERRORS = {
    "Connection to 192.168.177.11 closed by remote host.\n": LOST,
    "Timeout, server 192.168.177.11 not responding.\n": LOST,
    "sh: 1: docker: not found\n": (
        "`docker` is not on the PATH of spark-02",
        "install it: https://docs.docker.com/engine/install",
    ),
    CLIENT.format(code=127, error="sh: 1: docker: not found\n"): (
        "`docker` is not on the PATH of spark-02",
        "install it: https://docs.docker.com/engine/install",
    ),
    DENIED: (
        "this user may not use Docker on spark-02",
        "`ssh -t spark-02 'sudo usermod -aG docker \"$USER\"'`, then log in there again",
    ),
    STOPPED: REMOTE_START,
    HIDDEN: (
        "the Docker engine does not answer",
        "`ssh -t spark-02 'docker version'` shows the reason",
    ),
    "channel 2: open failed: connect failed: open failed\n": (
        "spark-02 does not let SSH forward its /var/run/docker.sock",
        "set `AllowStreamLocalForwarding yes` in its sshd_config; it needs Docker as well",
    ),
    SDK_ERROR.format(error="ConnectionResetError(104, 'Connection reset by peer')"): (
        "the Docker engine closed the connection",
        "check it with `ssh -t spark-02 'docker version'`, then run the same command again",
    ),
    NO_GPU: (
        'Docker reports: could not select device driver "nvidia" with capabilities: [[gpu]]',
        "",
    ),
    "welcome\nkex_exchange_identification: an unknown reason\n": (
        "Docker does not answer: kex_exchange_identification: an unknown reason",
        "`ssh -t spark-02 'docker version'` may show more",
    ),
    "": (
        "Docker does not answer: no error message",
        "`ssh -t spark-02 'docker version'` may show more",
    ),
}
LOCAL_START = ("the Docker engine is not running", "`sudo systemctl start docker`")
NO_ACCESS = (
    "this user may not use Docker on this machine",
    '`sudo usermod -aG docker "$USER"`, then log in there again',
)
NO_SSH = ("`ssh` is not installed on this machine", "`sudo apt-get install openssh-client`")
BUILDX = (
    "the Docker client of this machine lacks its plug-in `buildx`",
    "`sudo apt-get install docker-buildx-plugin`, or the system's `docker-buildx`",
)
LOCAL_ERRORS = {
    STOPPED: LOCAL_START,
    SDK_ERROR.format(error="FileNotFoundError(2, 'No such file or directory')"): LOCAL_START,
    SDK_ERROR.format(error="ConnectionRefusedError(111, 'Connection refused')"): LOCAL_START,
    DENIED: NO_ACCESS,
    SDK_ERROR.format(error="PermissionError(13, 'Permission denied')"): NO_ACCESS,
    "docker: command not found": (
        "`docker` is not on the PATH of this machine",
        "install it: https://docs.docker.com/engine/install",
    ),
    "[Errno 2] No such file or directory: 'ssh'": NO_SSH,
    "`ssh` is not installed": NO_SSH,
    NO_BUILDX: BUILDX,
    "docker: unknown command: docker buildx\n\nRun 'docker --help' for more information\n": BUILDX,
    "docker: 'buildx' is not a docker command.\nSee 'docker --help'\n": BUILDX,
}


def test_remote_engine() -> None:
    """The Docker client reaches a remote machine's engine by the SSH host."""
    assert "ssh://spark-02" == REMOTE.url
    assert ("docker", "--host", "ssh://spark-02", "image", "ls") == REMOTE.docker("image", "ls")


def test_tunnel() -> None:
    """A tunnel is an ssh command that forwards a socket of the machine and runs a command there."""
    words = REMOTE.tunnel("/tmp/api.sock", "/var/run/docker.sock", "cat")  # noqa: S108 (not made)
    forwarding = ("-L", "/tmp/api.sock:/var/run/docker.sock")  # noqa: S108 (as above)

    assert ("ssh", "-T", "-a", "-x") == words[:4]
    assert (*forwarding, "--", "spark-02", "cat") == words[-5:]


def test_configuration() -> None:
    """The SSH client itself prints how it would reach a host."""
    assert ("ssh", "-T", "-G", "spark-02") == REMOTE.configuration


def test_session() -> None:
    """A user's command over SSH is one quoted line, with a terminal if there is one here."""
    argv = ("echo", "a b")

    assert ("ssh", "spark-02", "echo 'a b'") == REMOTE.session(argv, terminal=False)
    assert ("ssh", "-t", "spark-02", "echo 'a b'") == REMOTE.session(argv, terminal=True)
    assert argv == THIS_MACHINE.session(argv, terminal=True)


def test_local_engine() -> None:
    """The Docker client's own choice of this machine's engine is kept."""
    assert "" == LOCAL.url
    assert ("docker", "image", "ls") == LOCAL.docker("image", "ls")


@pytest.mark.parametrize("text, expected", [*SSH_ERRORS.items(), *REMOTE_ERRORS.items()])
def test_remote_errors(text: str, expected: tuple[str, str]) -> None:
    """An error of ssh or of a remote Docker becomes a message with a remedy."""
    message, remedy = expected

    assert Problem(place="spark2", message=message, remedy=remedy) == host_problem(REMOTE, text)


@pytest.mark.parametrize("error", SSH_ERRORS)
def test_ssh_errors_of_the_docker_client(error: str) -> None:
    """An error of ssh is recognised inside the Docker client's message."""
    message = CLIENT.format(code=255, error=error)

    assert host_problem(REMOTE, error) == host_problem(REMOTE, message)


@pytest.mark.parametrize("text, expected", LOCAL_ERRORS.items())
def test_local_errors(text: str, expected: tuple[str, str]) -> None:
    """The remedy for an error on this machine needs no ssh."""
    message, remedy = expected

    assert Problem(place="spark1", message=message, remedy=remedy) == host_problem(LOCAL, text)


def test_printed_problem() -> None:
    """A problem is printed on one line."""
    expected = (
        "spark2: the Docker engine is not running (`ssh -t spark-02 'sudo systemctl start docker'`)"
    )

    assert expected == str(host_problem(REMOTE, STOPPED))
