"""Each program under `programs`, run with python-socketio and with this package against each of three
servers, says the same."""

import concurrent.futures
import glob
import json
import os
import queue
import subprocess
import sys
import tempfile
import time
import unittest

from servers import HERE, said, shared

PROGRAMS = sorted(glob.glob(os.path.join(HERE, "programs", "*.py")))
KINDS = ("node", "asyncio", "threaded")
PACKAGES = ("socketio", "sio")
#: So many programs at once with each package: they wait more than they compute.
PARALLEL = 3


class Runner:
    """A process that runs programs with one of the packages, one after another."""

    def __init__(self, package, folder):
        self.package = package
        self.files = [tempfile.mktemp(dir=folder) for _ in range(2)]
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "as_socketio.py"), package],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )

    def run(self, program, url):
        """What the program says, its exit status, and its errors."""
        self.process.stdin.write(json.dumps([program, url, *self.files]) + "\n")
        self.process.stdin.flush()
        status = int(self.process.stdout.readline())
        output, errors = (open(path, encoding="utf-8", errors="replace") for path in self.files)
        with output, errors:
            return output.read(), status, errors.read()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Programs(unittest.TestCase):
    def test_there_are_enough(self):
        self.assertGreaterEqual(len(PROGRAMS), 30)

    def test_say_the_same_with_either_package(self):
        urls = {kind: shared(kind).url for kind in KINDS}
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        idle = {package: queue.Queue() for package in PACKAGES}
        for package in PACKAGES:
            for _ in range(PARALLEL):
                runner = Runner(package, folder.name)
                self.addCleanup(runner.stop)
                idle[package].put(runner)

        def run(package, program, url):
            runner = idle[package].get()
            try:
                return runner.run(program, url)
            finally:
                idle[package].put(runner)

        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(PARALLEL * len(PACKAGES)) as pool:
            runs = [
                (program, kind, *(pool.submit(run, package, program, urls[kind]) for package in PACKAGES))
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
