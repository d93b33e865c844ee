"""Clients come and go: the garbage collector, fork, the interpreter's end."""

import gc
import os
import select
import signal
import subprocess
import sys
import threading
import time
import unittest
import weakref

import sio
from servers import shared, until


def left():
    """The descriptors and the threads of this process."""
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


class GarbageCollector(unittest.TestCase):
    def assert_all_freed(self, make):
        make()
        gc.collect()
        before = left()
        for _ in range(5):
            make()
        gc.collect()
        self.assertTrue(
            until(lambda: left()[0] <= before[0] and left()[1] <= before[1]), (before, left())
        )

    def test_a_connected_client_that_nobody_holds_is_freed(self):
        def make():
            client = sio.SimpleClient()
            client.connect(shared().url)
            client.receive(timeout=5)
            client.call("add", (1, 1))

        self.assert_all_freed(make)

    def test_it_takes_no_collector_without_a_cycle(self):
        gc.disable()
        self.addCleanup(gc.enable)
        client = sio.SimpleClient()
        client.connect(lambda: shared().url)
        client.receive(timeout=5)
        gone = weakref.ref(client._handle)
        del client
        self.assertIsNone(gone())

    def test_a_client_in_a_cycle_goes_away(self):
        class Program:
            def __init__(self):
                self.client = sio.SimpleClient()
                self.client.program = self
                self.client.connect(lambda: shared().url, auth=self.auth)
                self.client.receive(timeout=5)

            def auth(self):
                return {"program": "in a cycle"}

        self.assert_all_freed(Program)

    def test_with_a_log(self):
        def make():
            client = sio.SimpleClient(logger=Lines())
            client.connect(shared().url)

        self.assert_all_freed(make)

    def test_freed_with_messages_that_were_moved(self):
        def make():
            client = sio.SimpleClient()
            client.connect(shared().url)
            client.emit("flood", (100, 1000))
            client.call("slow_ack", 100)

        self.assert_all_freed(make)

    def test_freed_while_it_reconnects(self):
        def make():
            client = sio.SimpleClient(reconnection_delay=0.01, randomization_factor=0)
            client.connect(lambda: shared().url, transports=["websocket"])
            client.receive(timeout=5)
            client.emit("drop")

        self.assert_all_freed(make)


class Lines:
    """A logger that keeps what it is given."""

    def __init__(self):
        self.lines = []

    def log(self, level, text, *arguments):
        self.lines.append((level, text % arguments))

    def exception(self, text, *arguments):
        self.lines.append((40, text % arguments))


class Fork(unittest.TestCase):
    def in_child(self, function):
        """What a child process makes of it: its words."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(writing, str(function()).encode())
            finally:
                os._exit(0)
        os.close(writing)
        ready, _, _ = select.select([reading], [], [], 20)
        if not ready:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(reading, "rb") as file:
            self.assertTrue(ready, "the child hangs")
            return file.read().decode()

    def test_a_client_of_the_parent_is_refused_and_undisturbed(self):
        with sio.SimpleClient() as client:
            client.connect(shared().url)
            client.receive(timeout=5)
            # Another thread waits with the client, and holds its locks now and then.
            thread = threading.Thread(target=lambda: client.call("slow_ack", 600))
            thread.start()

            def use():
                words = []
                for what in (
                    lambda: client.emit("echo", 1),
                    lambda: client.call("add", (1, 1)),
                    lambda: client.receive(),
                    lambda: client.receive(timeout=1),
                    lambda: client.disconnect(),
                    lambda: client.connect(shared().url),
                ):
                    try:
                        what()
                        words.append("done")
                    except RuntimeError:
                        words.append("refused")
                return words

            self.assertEqual(self.in_child(use), str(["refused"] * 6))
            thread.join()
            self.assertEqual(client.call("add", (2, 3)), 5)

    def test_a_lock_that_another_thread_held_does_not_hold_up_the_child(self):
        with sio.SimpleClient() as client:
            client.connect(shared().url)
            client.receive(timeout=5)
            held, free = threading.Event(), threading.Event()

            def hold():
                with client._waiting._mutex:
                    held.set()
                    free.wait()

            thread = threading.Thread(target=hold)
            thread.start()
            held.wait()

            def use():
                with self.assertRaises(RuntimeError):
                    client.receive(timeout=1)
                return "refused"

            try:
                self.assertEqual(self.in_child(use), "refused")
            finally:
                free.set()
                thread.join()
            self.assertEqual(client.call("add", (2, 3)), 5)

    def test_the_child_may_have_clients_of_its_own(self):
        with sio.SimpleClient() as client:
            client.connect(shared().url)

            def use():
                with sio.SimpleClient() as own:
                    own.connect(shared().url)
                    return own.call("add", (2, 3))

            self.assertEqual(self.in_child(use), "5")

    def test_the_child_may_free_the_parents_client(self):
        clients = [sio.SimpleClient()]
        clients[0].connect(shared().url)

        def free():
            clients.clear()
            gc.collect()
            return "freed"

        self.assertEqual(self.in_child(free), "freed")
        self.assertEqual(clients[0].call("add", (2, 3)), 5)


ENDINGS = {
    "a client that is connected": """
client = sio.SimpleClient()
client.connect(url)
""",
    "a client with functions, a log, and a reconnection under way": """
import logging
logging.basicConfig(level=logging.DEBUG)
client = sio.SimpleClient(logger=logging.getLogger(), reconnection_delay=0.01)
client.connect(lambda: url, auth=lambda: {"a": 1}, transports=["websocket"])
client.emit("drop")
""",
    "a daemon thread that receives": """
import threading, time
client = sio.SimpleClient()
client.connect(url)
threading.Thread(target=lambda: [client.receive() for _ in iter(int, 1)], daemon=True).start()
time.sleep(0.2)
""",
    "a daemon thread in a call, and one behind it": """
import threading, time
client = sio.SimpleClient()
client.connect(url)
for _ in range(3):
    threading.Thread(target=lambda: client.call("no_ack"), daemon=True).start()
time.sleep(0.2)
""",
    "an error": """
client = sio.SimpleClient()
client.connect(url)
raise SystemExit(0)
""",
    "an asyncio client that is connected": """
import asyncio
client = sio.AsyncSimpleClient()
asyncio.run(client.connect(url, auth=lambda: {"a": 1}))
""",
    "an asyncio client with tasks that wait": """
import asyncio
async def main():
    client = sio.AsyncSimpleClient()
    await client.connect(url)
    asyncio.create_task(client.receive())
    asyncio.create_task(client.call("no_ack"))
    await asyncio.sleep(0.1)
asyncio.run(main())
""",
    "a client that was never used": """
client = sio.SimpleClient()
""",
}


class InterpretersEnd(unittest.TestCase):
    def test_nothing_hangs(self):
        for name, program in ENDINGS.items():
            with self.subTest(name):
                done = subprocess.run(
                    [sys.executable, "-c", f"import sio, sys\nurl = sys.argv[1]\n{program}", shared().url],
                    capture_output=True,
                    text=True,
                    timeout=20,
                )
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
