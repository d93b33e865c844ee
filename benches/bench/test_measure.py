"""The rounds, with a server and clients that only pretend."""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from bench import clients, measure
from bench.cells import FREE, PINNED, Cell
from bench.measure import Measuring
from bench.process import Failed
from bench.results import CPU, Results

SERVER = "#!/bin/sh\necho LISTENING plain=1 upgrade=2 heartbeat=3 tls=4\nexec cat\n"
# Writes down its arguments, and answers as it should.
CLIENT = """
import json, sys
name, log, cell, *words = sys.argv[1:]
keys = dict(word.split("=", 1) for word in words)
with open(log, "a") as file:
    file.write(json.dumps([name, cell, keys]) + "\\n")
print(json.dumps({"count": int(keys.get("count", 1)), "cpu_us": 20, "wall_us": 30, "p50_us": 1, "p99_us": 2}))
"""


class Rounds(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.server, self.client, self.log = (
            self.folder / name for name in ("server", "client.py", "log")
        )
        self.server.write_text(SERVER)
        self.server.chmod(0o755)
        self.client.write_text(CLIENT)
        roles = {
            "sio": clients.OURS,
            "limit": clients.LIMIT,
            "socket.io-client": clients.PEER,
            "rust_socketio": clients.PEER,
        }
        pretended = {
            name: clients.Client(name, name, role, self.command(name)) for name, role in roles.items()
        }
        patch = mock.patch.object(measure, "BY_NAME", pretended)
        patch.start()
        self.addCleanup(patch.stop)

    def command(self, name):
        return lambda operation: [sys.executable, str(self.client), name, str(self.log)]

    def measure(self, *cells, rounds=2, chosen=("sio", "limit", "socket.io-client")):
        results = Results.empty({}, rounds, True)
        self.said = io.StringIO()
        with contextlib.redirect_stdout(self.said):
            with Measuring(self.server, self.folder / "ca.pem", rounds, True, chosen) as measuring:
                measuring.measure(cells, results)
        return results, [json.loads(line) for line in self.log.read_text().splitlines()]

    def cell(self, operation="recv", name="receive/x", **arguments):
        keys = {"transport": "websocket", "kind": "text", "bytes": 64}
        defaults = dict(
            port="plain", clients=("sio", "limit", "socket.io-client"), modes=(PINNED, FREE), keys=keys
        )
        return Cell(name, "a title", operation, **{**defaults, **arguments})

    def test_clients_take_turns_and_each_round_begins_with_another(self):
        _, runs = self.measure(self.cell(modes=(FREE,)), rounds=3)
        self.assertEqual(
            [name for name, _, _ in runs],
            [
                "sio",
                "limit",
                "socket.io-client",
                "limit",
                "socket.io-client",
                "sio",
                "socket.io-client",
                "sio",
                "limit",
            ],
        )

    def test_each_client_is_told_all_conditions(self):
        _, runs = self.measure(self.cell(modes=(FREE,)), rounds=1)
        name, cell, keys = runs[0]
        self.assertEqual((name, cell), ("sio", "recv"))
        self.assertEqual(keys["url"], "http://127.0.0.1:1")
        self.assertEqual((keys["transport"], keys["kind"], keys["bytes"]), ("websocket", "text", "64"))
        self.assertGreater(
            int(keys["count"]), int(runs[2][2]["count"]), "a slower client gets fewer messages"
        )

    def test_over_tls_the_certificate_is_named(self):
        _, runs = self.measure(self.cell(port="tls", clients=("sio",)), rounds=1)
        self.assertEqual(runs[0][2]["url"], "https://127.0.0.1:4")
        self.assertEqual([Path(keys["ca"]).name for _, _, keys in runs], ["ca.pinned.pem", "ca.pem"])

    def test_values_are_for_each_message(self):
        results, runs = self.measure(self.cell(), rounds=2)
        count = int(runs[0][2]["count"])
        self.assertEqual(results.series("receive/x", "sio", CPU), [20 / count] * 2)
        self.assertEqual(len(results.runs("receive/x", "sio", FREE)), 2)

    def test_only_chosen_clients_run(self):
        _, runs = self.measure(self.cell(), chosen=("sio",))
        self.assertEqual({name for name, _, _ in runs}, {"sio"})

    def test_a_start_is_timed_from_outside(self):
        results, _ = self.measure(
            self.cell("start", "start/x", clients=("sio",), modes=(FREE,)), rounds=1
        )
        self.assertGreater(results.runs("start/x", "sio", FREE)[0]["start_us"], 0)

    def test_progress_says_how_far_it_is(self):
        self.measure(self.cell(), self.cell(name="receive/y"))
        lines = self.said.getvalue().splitlines()
        self.assertEqual(len(lines), 2)
        self.assertIn("1/2] receive/x", lines[0])
        self.assertIn("left", lines[0])

    def test_one_bad_client_ends_it(self):
        self.client.write_text(CLIENT.replace('"cpu_us": 20, ', ""))
        with self.assertRaises(Failed):
            self.measure(self.cell())

    def test_what_a_peer_says_it_cannot_do_is_left_out_and_told(self):
        self.client.write_text(
            f"import sys\nif 'rust' in sys.argv[1]: sys.exit(print('no', file=sys.stderr) or 2)\n{CLIENT}"
        )
        results, runs = self.measure(
            self.cell(clients=("sio", "rust_socketio")), chosen=("sio", "rust_socketio")
        )
        self.assertEqual(results.left_out("receive/x"), {"rust_socketio": "no"})
        self.assertEqual(results.clients("receive/x"), ["sio"])
        self.assertEqual(len(runs), 4)
        self.assertIn("receive/x: without rust_socketio: no", self.said.getvalue())

    def test_ours_can_do_all(self):
        self.client.write_text("import sys\nsys.exit(print('no', file=sys.stderr) or 2)\n")
        with self.assertRaises(Failed):
            self.measure(self.cell(clients=("sio",)))

    def test_a_peer_that_gives_up_amid_the_rounds_ends_it(self):
        once = "import os, sys\nif os.path.exists(sys.argv[2]): sys.exit(print('no', file=sys.stderr) or 2)\n"
        self.client.write_text(once + CLIENT)
        with self.assertRaises(Failed):
            self.measure(self.cell(clients=("rust_socketio",)), chosen=("rust_socketio",))

    def test_to_measure_nothing_is_an_error(self):
        with self.assertRaises(ValueError):
            self.measure(self.cell(clients=("limit",)), chosen=("sio",))


if __name__ == "__main__":
    unittest.main()
