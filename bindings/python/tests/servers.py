"""The servers that the tests meet (tests/servers/README.md of the source tree)."""

import atexit
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SERVERS = os.path.join(HERE, "..", "..", "..", "tests", "servers")
PYTHON = os.path.join(SERVERS, "python", ".venv", "bin", "python")

COMMANDS = {
    "node": ["node", os.path.join(SERVERS, "node", "server.js")],
    "asyncio": [PYTHON, os.path.join(SERVERS, "python", "server_asyncio.py")],
    "threaded": [PYTHON, os.path.join(SERVERS, "python", "server_threaded.py")],
}


class Server:
    """A running server. It ends with this process, or when it is told to."""

    def __init__(self, kind, *options):
        self.kind = kind
        self.process = subprocess.Popen(
            [*COMMANDS[kind], *map(str, options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        line = self.process.stdout.readline()
        if not line.startswith("LISTENING "):
            raise RuntimeError(f"the {kind} server did not start: {line!r}")
        self.port = int(line.split()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        atexit.register(self.stop)

    def stop(self):
        atexit.unregister(self.stop)
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


_shared = {}


def shared(kind="node"):
    """A server of that kind, for all tests of a process."""
    if kind not in _shared:
        # By polling python-socketio's asyncio client ends no earlier than the next ping.
        _shared[kind] = Server(kind, "--ping-interval", 3000)
    return _shared[kind]


def until(condition, seconds=10):
    """Waits until the condition holds; False if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def said(text):
    """Shows how far the tests are."""
    sys.stdout.write(f"  {text}\n")
    sys.stdout.flush()
