"""Any number of threads with one client."""

import threading
import time
import unittest

import sio
from sio import _waiting
from servers import Server, shared


class Threads(unittest.TestCase):
    def setUp(self):
        self.client = sio.SimpleClient(handle_sigint=False)
        self.addCleanup(self.client.disconnect)
        self.client.connect(shared().url)
        self.assertEqual(self.client.receive(timeout=5)[0], "welcome")

    def run_all(self, *functions):
        errors = []

        def guarded(function):
            try:
                function()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(errors, [])
        self.assertFalse(any(thread.is_alive() for thread in threads))

    def test_calls_and_emits_and_receives_at_once(self):
        got = []
        lock = threading.Lock()

        def call(base):
            for number in range(200):
                self.assertEqual(self.client.call("add", (base, number), timeout=30), base + number)

        def emit(base):
            for number in range(200):
                self.client.emit("echo", [base, number])

        def receive():
            for _ in range(200):
                event = self.client.receive(timeout=30)
                with lock:
                    got.append(tuple(event[1]))

        self.run_all(
            *(lambda base=base: call(base) for base in range(4)),
            *(lambda base=base: emit(base) for base in range(4)),
            *[receive] * 4,
        )
        self.assertEqual(sorted(got), [(base, number) for base in range(4) for number in range(200)])

    def test_one_receiver_sees_the_order_whatever_others_do(self):
        count = 3000
        got = []
        done = threading.Event()

        def receive():
            while len(got) < count:
                got.append(self.client.receive(timeout=30)[1])
            done.set()

        def call():
            while not done.is_set():
                self.client.call("add", (1, 1), timeout=30)

        self.client.emit("flood", (count, 100))
        self.run_all(receive, call, call)
        self.assertEqual(got, list(range(count)))

    def test_more_unread_events_than_fit_keep_their_order(self):
        limit, _waiting.INBOX_LIMIT = _waiting.INBOX_LIMIT, 20_000
        self.addCleanup(setattr, _waiting, "INBOX_LIMIT", limit)
        self.client.emit("flood", (1000, 200))
        self.assertEqual(self.client.call("slow_ack", 300), 300)
        self.assertLess(self.client._waiting._inbox_bytes, 22_000)
        got = []
        for number in range(1000):
            got.append(self.client.receive(timeout=5)[1])
            if not number % 100:
                self.assertEqual(self.client.call("add", (number, 1)), number + 1)
        self.assertEqual(got, list(range(1000)))

    def test_all_that_wait_end_with_the_connection(self):
        ended = []

        def wait(what):
            try:
                what()
            except sio.exceptions.DisconnectedError as error:
                ended.append(error)

        threads = [
            threading.Thread(target=wait, args=(what,))
            for what in [self.client.receive] * 4 + [lambda: self.client.call("no_ack", timeout=None)] * 4
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        self.client.emit("kick")
        for thread in threads:
            thread.join(10)
        self.assertEqual(len(ended), 8)

    def test_a_receiving_thread_may_begin_before_connect(self):
        client = sio.SimpleClient(handle_sigint=False)
        got = []
        thread = threading.Thread(target=lambda: got.append(client.receive()))
        thread.start()
        time.sleep(0.1)
        client.connect(shared().url)
        thread.join(10)
        self.assertEqual(got[0][0], "welcome")
        client.disconnect()

    def test_receive_ends_in_time_among_others(self):
        """Whoever leads or follows, each keeps its own deadline."""
        late = []

        def receive(timeout):
            begun = time.monotonic()
            with self.assertRaises(sio.exceptions.TimeoutError):
                self.client.receive(timeout=timeout)
            late.append(time.monotonic() - begun - timeout)

        self.run_all(*(lambda timeout=0.1 * number: receive(timeout) for number in range(1, 9)))
        self.assertEqual(len(late), 8)
        self.assertGreaterEqual(min(late), 0)
        self.assertLess(max(late), 0.5)

    def test_emit_waits_for_the_connection_to_be_made_again(self):
        server = Server("node")
        client = sio.SimpleClient(handle_sigint=False, reconnection_delay=0.1)
        client.connect(server.url, transports=["websocket"])
        client.receive(timeout=5)
        client.emit("drop")
        while client.sid is not None:
            time.sleep(0.001)
        self.assertTrue(client.connected)
        client.emit("echo", "when it is back")
        self.assertEqual(client.receive(timeout=10)[0], "welcome")
        self.assertEqual(client.receive(timeout=10), ["echo", "when it is back"])
        client.disconnect()
        server.stop()


if __name__ == "__main__":
    unittest.main()
