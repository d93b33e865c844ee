"""Where the package differs from python-socketio on purpose. Each test is named after the difference;
README.md lists them. Where it is quick to show, what python-socketio does is shown too."""

import http.server
import json
import os
import socket
import threading
import time
import unittest

import sio
import socketio
from servers import Server, shared, until


def connected(package=sio, server=None, **arguments):
    client = package.SimpleClient(handle_sigint=False)
    client.connect((server or shared()).url, **arguments)
    assert client.receive(timeout=5)[0] == "welcome"
    return client


class Scripted:
    """A server that accepts one client by polling, and sends it the events given: for those that no
    other server sends."""

    def __init__(self, events):
        self.answers = [
            '0{"sid":"scripted","upgrades":[],"pingInterval":3000,"pingTimeout":20000}',
            '40{"sid":"scripted namespace"}',
            "\x1e".join("42" + json.dumps(event) for event in events),
        ]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if not outer.answers:
                    # A ping, so that a client that leaves need not wait for long.
                    outer.stopped.wait(0.5)
                self.answer(outer.answers.pop(0) if outer.answers else "2")

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer("ok")

            def answer(self, text):
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments):
                pass

        self.stopped = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()


class Differences(unittest.TestCase):
    def test_all_that_was_emitted_before_disconnect_arrives(self):
        for transport in ("websocket", "polling"):
            name = f"{transport} {os.getpid()}"
            client = connected(transports=[transport], auth={"name": name})
            for number in range(1000):
                client.emit("count", number)
            client.disconnect()
            with connected() as other:
                tally = other.call("tally", name)
            self.assertEqual((tally["count"], tally["in_order"]), (1000, True))

    def test_use_before_connect_raises_and_does_not_wait_for_ever(self):
        client = sio.SimpleClient()
        for what in (lambda: client.emit("echo"), lambda: client.call("echo")):
            with self.assertRaises(sio.exceptions.DisconnectedError):
                what()
        theirs = socketio.SimpleClient()
        thread = threading.Thread(target=lambda: theirs.emit("echo"), daemon=True)
        thread.start()
        thread.join(0.3)
        self.assertTrue(thread.is_alive())

    def test_a_call_ends_at_once_when_the_connection_is_lost(self):
        client = connected(transports=["websocket"])
        failed = []

        def call():
            try:
                client.call("no_ack")
            except sio.exceptions.DisconnectedError as error:
                failed.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        time.sleep(0.1)
        client.emit("drop")
        thread.join(5)
        self.assertTrue(failed[0].details["sent"])
        client.disconnect()

    def test_a_blocked_receive_ends_when_the_server_disconnects(self):
        for package, ends in ((sio, True), (socketio, False)):
            client = connected(package)

            def receive():
                try:
                    client.receive()
                except package.exceptions.DisconnectedError:
                    pass

            thread = threading.Thread(target=receive, daemon=True)
            thread.start()
            time.sleep(0.1)
            client.emit("kick")
            thread.join(5 if ends else 0.5)
            self.assertEqual(thread.is_alive(), not ends, package.__name__)

    def test_the_upgrade_goes_on_after_connect(self):
        client = connected()
        deadline = time.monotonic() + 10
        while client.transport == "polling" and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(client.transport, "websocket")
        client.disconnect()

    def test_transport_is_empty_after_the_end(self):
        client = connected(transports=["websocket"])
        client.emit("kick")
        with self.assertRaises(sio.exceptions.DisconnectedError):
            client.receive()
        self.assertEqual(client.transport, "")

    def test_events_from_the_server_may_have_any_name(self):
        """With python-socketio some change the client's state, and some are lost."""
        events = [["connect", 1], ["disconnect", 2], ["__disconnect_final"], ["*", 3], ["", 4]]
        with Scripted([*events, ["last"]]) as server:
            client = sio.SimpleClient()
            client.connect(server.url, transports=["polling"])
            for event in [*events, ["last"]]:
                self.assertEqual(client.receive(timeout=5), event)
            self.assertTrue(client.connected)
            client.disconnect()
        with Scripted([["__disconnect_final"]]) as server:
            theirs = socketio.SimpleClient(handle_sigint=False)
            theirs.connect(server.url, transports=["polling"])
            self.assertTrue(until(lambda: not theirs.connected))

    def test_an_event_named_by_a_number_has_its_digits_for_a_name(self):
        for package, name in ((sio, "7"), (socketio, 7)):
            with Scripted([[7, "a"]]) as server:
                client = package.SimpleClient(handle_sigint=False)
                client.connect(server.url, transports=["polling"])
                self.assertEqual(client.receive(timeout=5), [name, "a"])
                client.disconnect()

    def test_reserved_names_cannot_be_emitted(self):
        client = connected()
        for name in ("connect", "connect_error", "disconnect", "disconnecting"):
            with self.assertRaises(ValueError):
                client.emit(name)
        client.disconnect()

    def test_bytes_may_be_in_tuples_and_memoryviews(self):
        client = connected()
        data = {"tuple": (b"1", [memoryview(b"2"), (b"3",)]), "view": memoryview(b"abcdef")[::2]}
        self.assertEqual(
            client.call("echo_ack", data), {"tuple": [b"1", [b"2", [b"3"]]], "view": b"ace"}
        )
        client.disconnect()
        with connected(socketio) as theirs:
            with self.assertRaises(TypeError):
                theirs.call("echo_ack", data)

    def test_nan_is_refused(self):
        client = connected()
        for value in (float("nan"), float("inf"), [1, {"a": float("-inf")}]):
            with self.assertRaises(ValueError):
                client.emit("echo", value)
        client.disconnect()

    def test_what_is_over_the_servers_limit_is_refused(self):
        server = Server("node", "--max-payload", 10_000)
        client = connected(server=server)
        for data in ("t" * 20_000, bytes(20_000)):
            for send in (client.emit, client.call):
                with self.assertRaises(ValueError):
                    send("echo", data)
        self.assertEqual(client.call("add", (2, 3)), 5)
        client.disconnect()
        server.stop()

    def test_a_path_in_the_url_is_refused(self):
        with self.assertRaisesRegex(sio.exceptions.ConnectionError, "path"):
            sio.SimpleClient().connect(shared().url + "/chat")

    def test_a_refused_reconnection_is_the_end(self):
        tokens = iter([{"token": "secret"}, {"token": "expired"}])
        client = sio.SimpleClient(reconnection_delay=0.05)
        client.connect(
            shared().url, auth=lambda: next(tokens), namespace="/auth", transports=["websocket"]
        )
        client.receive(timeout=5)
        client.emit("drop")
        with self.assertRaises(sio.exceptions.DisconnectedError):
            client.receive(timeout=20)
        self.assertFalse(client.connected)

    def test_wait_timeout_is_for_all_of_connect(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            begun = time.monotonic()
            with self.assertRaises(sio.exceptions.ConnectionError):
                sio.SimpleClient().connect(
                    f"http://127.0.0.1:{silent.getsockname()[1]}", wait_timeout=0.2
                )
            self.assertLess(time.monotonic() - begun, 2)

    def test_timeouts_have_a_text(self):
        client = connected()
        for what in (lambda: client.receive(timeout=0.01), lambda: client.call("no_ack", timeout=0.01)):
            with self.assertRaisesRegex(sio.exceptions.TimeoutError, "time"):
                what()
        client.disconnect()


if __name__ == "__main__":
    unittest.main()
