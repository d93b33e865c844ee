"""Ctrl-C and other signals end what the main thread waits for, and nothing else."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import sio
from sio import simple_client
from servers import Server, shared, until

#: What "at once" means on a machine with much to do; each wait here would take far longer.
AT_ONCE = 1.0


class Signals(unittest.TestCase):
    def setUp(self):
        self.client = sio.SimpleClient(handle_sigint=False)
        self.addCleanup(self.client.disconnect)

    def connect(self, url=None, **arguments):
        self.client.connect(url or shared().url, **arguments)
        self.assertEqual(self.client.receive(timeout=5)[0], "welcome")

    def signal_soon(self, number=signal.SIGINT, delay=0.2):
        """Sends a signal to this process when the main thread has been waiting for a while."""

        def send():
            self.sent = time.monotonic()
            os.kill(os.getpid(), number)

        timer = threading.Timer(delay, send)
        timer.start()
        self.addCleanup(timer.join)

    def assert_interrupted(self, what, error=KeyboardInterrupt):
        self.signal_soon()
        with self.assertRaises(error):
            what()
        self.assertLess(time.monotonic() - self.sent, AT_ONCE)

    def handle(self, number, function):
        self.addCleanup(signal.signal, number, signal.signal(number, function))

    def test_receive(self):
        self.connect()
        self.assert_interrupted(self.client.receive)
        self.assert_interrupted(lambda: self.client.receive(timeout=30))
        self.client.emit("echo", "still there")
        self.assertEqual(self.client.receive(timeout=5), ["echo", "still there"])

    def test_receive_before_connect(self):
        self.assert_interrupted(self.client.receive)

    def test_call(self):
        self.connect()
        self.assert_interrupted(lambda: self.client.call("no_ack"))
        self.assert_interrupted(lambda: self.client.call("slow_ack", 600, timeout=None))
        # The answer to the interrupted call comes meanwhile, and is dropped.
        self.assertEqual(self.client.call("slow_ack", 700), 700)
        self.assertEqual(self.client.call("add", (2, 3)), 5)

    def test_connect(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            self.assert_interrupted(lambda: self.client.connect(url))
        self.assertFalse(self.client.connected)
        self.connect()
        self.assertEqual(self.client.call("add", (2, 3)), 5)

    def test_connect_while_a_function_of_the_program_runs(self):
        self.assert_interrupted(lambda: self.client.connect(lambda: time.sleep(30)))
        self.connect()

    def test_emit(self):
        server = Server("node")
        self.connect(server.url)
        server.stop()

        def emit():
            while True:
                self.client.emit("echo", "while the connection is made again")

        self.assert_interrupted(emit)

    def test_disconnect(self):
        server = Server("node")
        self.addCleanup(server.stop)
        self.connect(server.url, transports=["websocket"])
        os.kill(server.process.pid, signal.SIGSTOP)
        for _ in range(200):
            self.client.emit("echo", bytes(100_000))
        self.assert_interrupted(self.client.disconnect)
        self.assertFalse(self.client.connected)

    def test_a_farewell_that_is_not_certain_is_logged(self):
        server = Server("node")
        self.addCleanup(server.stop)
        self.connect(server.url, transports=["websocket"])
        os.kill(server.process.pid, signal.SIGSTOP)
        self.client.emit("echo", bytes(100_000))
        limit, simple_client._DISCONNECT_MS = simple_client._DISCONNECT_MS, 200
        self.addCleanup(setattr, simple_client, "_DISCONNECT_MS", limit)
        with self.assertLogs("sio.client", "WARNING"):
            self.client.disconnect()
        self.assertFalse(self.client.connected)

    def test_what_a_handler_of_the_program_raises(self):
        class Alarm(Exception):
            pass

        def ring(number, frame):
            raise Alarm

        def interrupt(number, frame):
            raise KeyboardInterrupt("mine")

        self.connect()
        self.handle(signal.SIGUSR1, ring)
        self.signal_soon(signal.SIGUSR1)
        with self.assertRaises(Alarm):
            self.client.receive()
        self.handle(signal.SIGUSR2, interrupt)
        self.signal_soon(signal.SIGUSR2)
        with self.assertRaisesRegex(KeyboardInterrupt, "mine"):
            self.client.call("no_ack")
        self.assertEqual(self.client.call("add", (2, 3)), 5)

    def test_a_handler_that_returns_changes_nothing(self):
        seen = []
        self.connect()
        self.handle(signal.SIGUSR1, lambda number, frame: seen.append(number))
        self.signal_soon(signal.SIGUSR1)
        self.assertEqual(self.client.call("slow_ack", 600), 600)
        self.signal_soon(signal.SIGUSR1)
        with self.assertRaises(sio.exceptions.TimeoutError):
            self.client.receive(timeout=0.6)
        self.assertEqual(len(seen), 2)

    def test_a_handler_may_use_the_client_that_waits(self):
        results = []

        def handler(number, frame):
            results.append(self.client.call("add", (2, 3)))
            self.client.emit("echo", "from the handler")

        self.connect()
        self.handle(signal.SIGUSR1, handler)
        self.signal_soon(signal.SIGUSR1)
        self.assertEqual(self.client.receive(timeout=10), ["echo", "from the handler"])
        self.signal_soon(signal.SIGUSR1)
        self.assertEqual(self.client.call("slow_ack", 600), 600)
        self.assertEqual(results, [5, 5])

    def test_a_handler_may_disconnect_the_client_that_waits(self):
        self.connect()
        self.handle(signal.SIGUSR1, lambda number, frame: self.client.disconnect())
        self.signal_soon(signal.SIGUSR1)
        with self.assertRaises(sio.exceptions.DisconnectedError):
            self.client.receive()
        self.connect()
        self.signal_soon(signal.SIGUSR1)
        with self.assertRaises(sio.exceptions.DisconnectedError):
            self.client.call("no_ack")

    def test_other_threads_go_on(self):
        """Several wait on one client, one of them in the main thread."""
        self.connect()
        answers, events = [], []
        threads = [
            threading.Thread(target=lambda: answers.append(self.client.call("slow_ack", 900))),
            threading.Thread(target=lambda: answers.append(self.client.call("slow_ack", 1000))),
            threading.Thread(target=lambda: events.append(self.client.receive(timeout=10))),
            threading.Thread(target=lambda: events.append(self.client.receive(timeout=10))),
        ]
        for order in (threads, threads[::-1]):
            if order is threads:
                for thread in threads:
                    thread.start()
            self.assert_interrupted(lambda: self.client.call("no_ack"))
            self.assert_interrupted(self.client.receive)
        self.client.emit("echo", 1)
        self.client.emit("echo", 2)
        for thread in threads:
            thread.join(10)
        self.assertEqual(sorted(answers), [900, 1000])
        self.assertEqual(sorted(events), [["echo", 1], ["echo", 2]])

    def test_the_main_thread_leads_and_leaves(self):
        """Threads that began to wait after the main thread still get theirs when it is gone."""
        self.connect()
        answers = []

        def late():
            answers.append(self.client.call("slow_ack", 800))

        threads = [threading.Thread(target=late) for _ in range(3)]
        starter = threading.Timer(0.1, lambda: [thread.start() for thread in threads])
        starter.start()
        self.signal_soon(delay=0.4)
        with self.assertRaises(KeyboardInterrupt):
            self.client.receive()
        starter.join()
        for thread in threads:
            thread.join(10)
        self.assertEqual(answers, [800] * 3)

    def test_signals_at_random_moments_break_nothing(self):
        """They come while the main thread is busy as well as while it waits; other threads use the
        same client, and what is theirs is neither lost nor held up."""
        self.connect()
        chance = random.Random(5)
        stop = threading.Event()
        interrupted = 0
        counts = [0, 0]
        errors = []

        def work(index):
            try:
                while not stop.is_set():
                    if self.client.call("add", (counts[index], 1), timeout=20) != counts[index] + 1:
                        raise AssertionError("not its own answer")
                    counts[index] += 1
            except BaseException as error:
                errors.append(error)

        def send():
            while not stop.is_set():
                time.sleep(chance.random() * 0.01)
                os.kill(os.getpid(), signal.SIGUSR1)

        class Interrupt(BaseException):
            pass

        armed = False

        def handler(number, frame):
            nonlocal armed
            if armed:
                # The next comes when this one has been dealt with.
                armed = False
                raise Interrupt

        self.handle(signal.SIGUSR1, handler)
        threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
        threads.append(threading.Thread(target=send))
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            try:
                armed = True
                kind = chance.randrange(3)
                if kind == 0:
                    self.client.call("add", (1, 1), timeout=20)
                elif kind == 1:
                    self.client.receive(timeout=0.005)
                else:
                    self.client.emit("echo", "more")
                armed = False
            except Interrupt:
                interrupted += 1
            except sio.exceptions.TimeoutError:
                armed = False
        stop.set()
        for thread in threads:
            thread.join(30)
            self.assertFalse(thread.is_alive())
        self.assertEqual(errors, [])
        self.assertGreater(interrupted, 100)
        self.assertGreater(min(counts), 100)
        self.assertEqual(self.client.call("add", (2, 3)), 5)
        self.client.emit("last")
        while self.client.receive(timeout=5)[0] != "last":
            pass
        self.assertIsNone(self.client._waiting._leader)
        self.assertEqual(self.client._waiting._awaited, set())

    def test_waiting_costs_nothing(self):
        """Also while unread events would keep the descriptor readable."""
        self.connect()
        self.client.emit("flood", (500, 100))
        self.client.call("add", (1, 1))
        for wait in (
            lambda: self.client.call("no_ack", timeout=1.5),
            lambda: self.client.call("no_ack", timeout=1.5),
        ):
            used = time.process_time()
            with self.assertRaises(sio.exceptions.TimeoutError):
                wait()
            self.assertLess(time.process_time() - used, 0.3)
        for number in range(500):
            self.assertEqual(self.client.receive(timeout=5)[:2], ["flood", number])
        self.client.receive(timeout=5)
        used = time.process_time()
        with self.assertRaises(sio.exceptions.TimeoutError):
            self.client.receive(timeout=1.5)
        self.assertLess(time.process_time() - used, 0.1)


LEAVES = """
import sys, sio
client = sio.SimpleClient({arguments})
client.connect(sys.argv[1], auth={{"name": sys.argv[2]}}, transports=["websocket"])
client.receive()
print("waiting", flush=True)
client.receive()
"""


LEAVES_ASYNC = """
import asyncio, sys, sio
async def main():
    async with sio.AsyncSimpleClient() as client:
        await client.connect(sys.argv[1], auth={"name": sys.argv[2]}, transports=["websocket"])
        await client.receive()
        print("waiting", flush=True)
        await client.receive()
asyncio.run(main())
"""


class TakingLeave(unittest.TestCase):
    def reason_after_sigint(self, program, name):
        process = subprocess.Popen(
            [sys.executable, "-c", program, shared().url, name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.assertEqual(process.stdout.readline(), "waiting\n")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=10)
        self.assertIn("KeyboardInterrupt", error)
        with sio.SimpleClient() as client:
            client.connect(shared().url)
            self.assertTrue(until(lambda: not client.call("tally", name)["connected"]))
            return client.call("tally", name)["reason"]

    def test_handle_sigint_makes_the_client_take_leave(self):
        self.assertEqual(
            self.reason_after_sigint(LEAVES.format(arguments=""), f"polite {os.getpid()}"),
            "client namespace disconnect",
        )

    def test_such_a_client_may_connect_anew(self):
        client = sio.SimpleClient()
        self.addCleanup(client.disconnect)
        for _ in range(3):
            client.connect(shared().url)
            self.assertEqual(client.receive(timeout=5)[0], "welcome")
            timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
            timer.start()
            with self.assertRaises(KeyboardInterrupt):
                client.receive()
            timer.join()
            self.assertFalse(client.connected)

    def test_without_it_the_connection_just_ends(self):
        self.assertEqual(
            self.reason_after_sigint(
                LEAVES.format(arguments="handle_sigint=False"), f"abrupt {os.getpid()}"
            ),
            "transport close",
        )

    def test_asyncio_cancels_the_task_which_takes_leave(self):
        self.assertEqual(
            self.reason_after_sigint(LEAVES_ASYNC, f"async {os.getpid()}"),
            "client namespace disconnect",
        )


if __name__ == "__main__":
    unittest.main()
