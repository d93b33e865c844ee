"""Whatever a client does wrong ends the benchmark, and says so."""

import os
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from bench import process
from bench.process import Failed, Server

GOOD = '{"count":3,"cpu_us":1.5,"wall_us":2.5}'


def run(program, operation="recv", count=3):
    return process.run([sys.executable, "-c", program], operation, count, os.environ, pinned=False)


class Clients(unittest.TestCase):
    def fails(self, program, text, **arguments):
        with self.assertRaises(Failed) as caught:
            run(program, **arguments)
        self.assertIn(text, str(caught.exception))

    def test_a_good_line_is_taken(self):
        outcome = run(f"print('{GOOD}')")
        self.assertEqual(outcome.said, {"count": 3, "cpu_us": 1.5, "wall_us": 2.5})

    def test_the_processor_time_of_the_whole_process_is_seen(self):
        busy = "import time\nwhile time.process_time() < 0.2: pass\n"
        outcome = run(f"{busy}print('{GOOD}')")
        self.assertGreater(outcome.cpu_us, 190_000)
        self.assertGreaterEqual(outcome.elapsed_us * (os.cpu_count() or 1) * 1.1, outcome.cpu_us)

    def test_a_failure_shows_what_the_client_said(self):
        self.fails("raise SystemExit('the port is closed')", "the port is closed")

    def test_a_good_line_does_not_excuse_a_bad_end(self):
        self.fails(f"print('{GOOD}')\nraise SystemExit(3)", "exit status 3")

    def test_a_crash_is_a_failure(self):
        self.fails("import os; os.abort()", "exit status -6")

    def test_silence_is_a_failure(self):
        self.fails("", "not exactly one line")

    def test_a_second_line_is_a_failure(self):
        self.fails(f"print('{GOOD}')\nprint('{GOOD}')", "not exactly one line")

    def test_half_a_line_is_a_failure(self):
        self.fails(f"print('{GOOD}', end='')", "not exactly one line")

    def test_what_is_no_json_is_a_failure(self):
        self.fails("print('12 us')", "no JSON")

    def test_what_is_no_object_is_a_failure(self):
        self.fails("print('[1]')", "no JSON object")

    def test_a_figure_that_is_missing_is_a_failure(self):
        self.fails("""print('{"count":3,"cpu_us":1}')""", "wall_us is None")

    def test_a_figure_that_is_no_number_is_a_failure(self):
        for value in ('"1"', "null", "NaN", "Infinity", "true", "-1", "0"):
            self.fails(f"""print('{{"count":3,"cpu_us":1,"wall_us":{value}}}')""", "wall_us is")

    def test_another_count_is_a_failure(self):
        self.fails(f"print('{GOOD}')", "4 were asked for", count=4)

    def test_a_program_that_is_not_there_is_a_failure(self):
        with self.assertRaises(Failed):
            process.run(["/nowhere/client"], "recv", 3, os.environ, pinned=False)

    def test_one_that_hangs_is_ended(self):
        with mock.patch.object(process, "DEADLINE", 0.3):
            begun = time.monotonic()
            self.fails("import time; time.sleep(60)", "no end after")
        self.assertLess(time.monotonic() - begun, 30)

    def test_a_pinned_client_has_one_processor(self):
        program = (
            """import os; print('{"count":%d,"cpu_us":1,"wall_us":1}' % len(os.sched_getaffinity(0)))"""
        )
        outcome = process.run([sys.executable, "-c", program], "recv", 1, os.environ, pinned=True)
        self.assertEqual(outcome.said["count"], 1)


class Starts(unittest.TestCase):
    def start(self, program):
        return process.time_start([sys.executable, "-c", program], os.environ)

    def test_a_start_is_over_with_the_line_and_not_with_the_end(self):
        took = self.start("print('{}', flush=True)\nimport time; time.sleep(0.5)")
        self.assertLess(took, 500_000)

    def test_a_failed_start_is_a_failure(self):
        with self.assertRaises(Failed):
            self.start("raise SystemExit('refused')")

    def test_a_failure_after_the_line_is_one_too(self):
        with self.assertRaises(Failed):
            self.start("print('{}', flush=True)\nraise SystemExit(1)")


class Servers(unittest.TestCase):
    LINE = "LISTENING plain=1 upgrade=2 heartbeat=3 tls=4"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def program(self, *lines):
        path = self.folder / "server"
        path.write_text("\n".join(("#!/bin/sh", *lines, "")))
        path.chmod(0o755)
        return path

    def test_its_ports_are_read_and_it_ends_with_its_stdin(self):
        server = Server(self.program(f"echo {self.LINE}", "cat"), self.folder / "ca.pem", pinned=False)
        self.assertEqual(server.ports, {"plain": 1, "upgrade": 2, "heartbeat": 3, "tls": 4})
        self.assertGreaterEqual(server.cpu_us(), 0)
        server.close()
        with self.assertRaises(Failed):
            server.cpu_us()

    def test_one_that_says_something_else_is_a_failure(self):
        with self.assertRaises(Failed):
            Server(self.program("echo LISTENING 80", "cat"), self.folder / "ca.pem", pinned=False)

    def test_one_that_ends_at_once_is_a_failure(self):
        with self.assertRaises(Failed):
            Server(self.program("exit 1"), self.folder / "ca.pem", pinned=False)

    def test_one_that_does_not_end_is_a_failure(self):
        program = self.program(f"echo {self.LINE}", "exec sleep 60")
        with mock.patch.object(process, "_SERVER_DEADLINE", 1.0):
            server = Server(program, self.folder / "ca.pem", pinned=False)
            with self.assertRaises(Failed):
                server.close()


if __name__ == "__main__":
    unittest.main()
