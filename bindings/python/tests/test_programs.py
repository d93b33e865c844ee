"""Each program under `programs`, run with python-socketio and with this package against each of three
servers, says the same."""

import concurrent.futures
import glob
import os
import subprocess
import sys
import time
import unittest

from servers import HERE, said, shared

PROGRAMS = sorted(glob.glob(os.path.join(HERE, "programs", "*.py")))
KINDS = ("node", "asyncio", "threaded")
#: So many at once: they wait more than they compute.
PARALLEL = 4


def run(package, program, url):
    """What the program says, and how it ends."""
    done = subprocess.run(
        [sys.executable, os.path.join(HERE, "as_socketio.py"), package, program, url],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    return done.stdout, done.returncode, done.stderr


class Programs(unittest.TestCase):
    def test_there_are_enough(self):
        self.assertGreaterEqual(len(PROGRAMS), 30)

    def test_say_the_same_with_either_package(self):
        urls = {kind: shared(kind).url for kind in KINDS}
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            runs = [
                (program, kind, *(pool.submit(run, package, program, urls[kind]) for package in ("socketio", "sio")))
                for program in PROGRAMS
                for kind in KINDS
            ]
            for program, kind, theirs, ours in runs:
                name = os.path.basename(program)
                with self.subTest(program=name, server=kind):
                    self.assert_same(theirs.result(), ours.result())
                if kind == KINDS[-1]:
                    said(f"{name}: {time.monotonic() - begun:.0f} s")

    def assert_same(self, theirs, ours):
        self.assertEqual(theirs[1], 0, f"with python-socketio:\n{theirs[2]}")
        self.assertEqual(ours[1], 0, f"with sio:\n{ours[0]}\n{ours[2]}")
        self.assertTrue(theirs[0], "the program says nothing")
        self.assertEqual(theirs[0], ours[0])


if __name__ == "__main__":
    unittest.main()
