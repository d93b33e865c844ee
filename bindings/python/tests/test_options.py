"""What the arguments mean: honoured, or refused at once."""

import asyncio
import inspect
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

import sio
import socketio
from servers import Server, shared, until

BOTH = (sio.SimpleClient, sio.AsyncSimpleClient)


class Refused(unittest.TestCase):
    def assert_refused(self, error, text, **arguments):
        for kind in BOTH:
            with self.assertRaisesRegex(error, text):
                kind(**arguments)

    def test_what_cannot_be_honoured_raises_at_once(self):
        self.assert_refused(ValueError, "serializer", serializer="msgpack")
        self.assert_refused(ValueError, "serializer", serializer=object)
        self.assert_refused(ValueError, "http_session", http_session=object())
        self.assert_refused(ValueError, "timestamp_requests", timestamp_requests=False)
        self.assert_refused(ValueError, "ssl_verify", ssl_verify="ca.pem")
        self.assert_refused(ValueError, "'header'", websocket_extra_options={"header": {}})
        self.assert_refused(
            ValueError, "'ciphers'", websocket_extra_options={"sslopt": {"ciphers": "x"}}
        )
        self.assert_refused(ValueError, "dumps", json=object())
        self.assert_refused(ValueError, "logger", logger="a name")

    def test_what_is_out_of_range_raises_at_once(self):
        self.assert_refused(ValueError, "randomization_factor", randomization_factor=1.5)
        self.assert_refused(ValueError, "reconnection_attempts", reconnection_attempts=-1)
        self.assert_refused(ValueError, "reconnection_delay", reconnection_delay=-1)
        self.assert_refused(ValueError, "reconnection_delay_max", reconnection_delay_max="5")
        self.assert_refused(ValueError, "request_timeout", request_timeout=float("inf"))

    def test_unknown_names_are_errors(self):
        self.assert_refused(TypeError, "no_such", no_such=1)
        self.assert_refused(ValueError, "no_such", options={"no_such": 1})
        self.assert_refused(ValueError, "offline", options={"offline": "sometimes"})
        self.assert_refused(ValueError, "report_state", options={"report_state": 1})

    def test_connect_checks_its_arguments(self):
        client = sio.SimpleClient()
        url = shared().url
        for error, arguments in (
            (TypeError, {"url": 5}),
            (TypeError, {"url": None}),
            (TypeError, {"url": url, "namespace": 5}),
            (TypeError, {"url": url, "headers": {"X-Number": 5}}),
            (TypeError, {"url": url, "auth": {"a": object()}}),
            (ValueError, {"url": url, "namespace": "/a\0b"}),
            (ValueError, {"url": url, "namespace": "no slash"}),
            (ValueError, {"url": url, "wait_timeout": float("nan")}),
            (sio.exceptions.ConnectionError, {"url": "ftp://localhost"}),
            (sio.exceptions.ConnectionError, {"url": "localhost:5000"}),
            (sio.exceptions.ConnectionError, {"url": url, "headers": {"X": "a\r\nb: c"}}),
            (sio.exceptions.ConnectionError, {"url": url, "headers": {"X": "a\0b"}}),
            (sio.exceptions.ConnectionError, {"url": url, "wait_timeout": 0}),
        ):
            with self.subTest(arguments):
                with self.assertRaises(error):
                    client.connect(**arguments)
                self.assertFalse(client.connected)
        client.connect(url)
        self.assertEqual(client.call("add", (2, 3)), 5)
        for error, what in (
            (TypeError, lambda: client.emit(5)),
            (TypeError, lambda: client.emit(b"name")),
            (ValueError, lambda: client.emit("a\0b")),
            (ValueError, lambda: client.receive(timeout=float("nan"))),
        ):
            with self.assertRaises(error):
                what()
        client.disconnect()


class Honoured(unittest.TestCase):
    def test_errors_tell_what_the_server_said(self):
        client = sio.SimpleClient()
        with self.assertRaises(sio.exceptions.ConnectionError) as caught:
            client.connect(shared().url, namespace="/refuse")
        self.assertIn("not welcome", str(caught.exception))
        self.assertEqual(caught.exception.status, -8)
        self.assertEqual(caught.exception.details["name"], "SIO_E_REFUSED")
        self.assertEqual(caught.exception.details["message"], "not welcome")
        self.assertEqual(caught.exception.details["data"], {"code": 403})

        async def refused():
            await sio.AsyncSimpleClient().connect(shared().url, namespace="/refuse")

        with self.assertRaises(sio.exceptions.ConnectionError) as caught:
            asyncio.run(refused())
        self.assertIn("not welcome", str(caught.exception))
        self.assertEqual(caught.exception.details["data"], {"code": 403})

    def test_errors_tell_the_http_status(self):
        client = sio.SimpleClient()
        with self.assertRaises(sio.exceptions.ConnectionError) as caught:
            client.connect(shared("asyncio").url, socketio_path="elsewhere", transports=["polling"])
        self.assertEqual(caught.exception.details["http_status"], 404)
        self.assertIn("404", str(caught.exception))

    def test_reconnection_attempts_end(self):
        server = Server("node")
        client = sio.SimpleClient(
            reconnection_attempts=2, reconnection_delay=0.05, reconnection_delay_max=0.1
        )
        client.connect(server.url)
        client.receive(timeout=5)
        server.stop()
        with self.assertRaises(sio.exceptions.DisconnectedError) as caught:
            client.receive(timeout=20)
        self.assertEqual(caught.exception.status, -3)
        self.assertFalse(client.connected)

    def test_wait_timeout_covers_all(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = sio.SimpleClient()
            begun = time.monotonic()
            with self.assertRaises(sio.exceptions.ConnectionError) as caught:
                client.connect(f"http://127.0.0.1:{silent.getsockname()[1]}", wait_timeout=0.3)
            self.assertLess(time.monotonic() - begun, 2)
            self.assertEqual(caught.exception.details["name"], "SIO_E_TIMEOUT")

    def test_request_timeout(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = sio.SimpleClient(request_timeout=0.3)
            begun = time.monotonic()
            with self.assertRaises(sio.exceptions.ConnectionError):
                client.connect(f"http://127.0.0.1:{silent.getsockname()[1]}", wait_timeout=20)
            self.assertLess(time.monotonic() - begun, 5)

    def test_options_of_the_library(self):
        with sio.SimpleClient(options={"transports": "polling", "offline": "fail", "cookies": True}) as client:
            client.connect(shared().url)
            client.receive(timeout=5)
            self.assertEqual(client.call("add", (2, 3)), 5)

    def test_a_logger_gets_the_librarys_lines(self):
        for name in ("logger", "engineio_logger"):
            logger = logging.getLogger(f"of the test {name}")
            logger.setLevel(logging.DEBUG)
            logger.propagate = False
            lines = []
            handler = logging.Handler()
            handler.emit = lambda record: lines.append(record)
            logger.addHandler(handler)
            with sio.SimpleClient(**{name: logger}) as client:
                client.connect(shared().url)
                client.call("add", (1, 1))
            self.assertGreater(len(lines), 3)
            self.assertIn(logging.INFO, {line.levelno for line in lines})

    def test_a_loggers_level_counts(self):
        logger = logging.getLogger("of errors only")
        logger.setLevel(logging.ERROR)
        logger.propagate = False
        lines = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record)
        logger.addHandler(handler)
        with sio.SimpleClient(logger=logger) as client:
            client.connect(shared().url)
        self.assertEqual(lines, [])

    def test_logger_true_logs_to_stderr(self):
        program = "import sio, sys\nwith sio.SimpleClient(logger={}) as c:\n    c.connect(sys.argv[1])"
        for value, expected in ((True, True), (False, False)):
            done = subprocess.run(
                [sys.executable, "-c", program.format(value), shared().url],
                capture_output=True,
                text=True,
                timeout=20,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(bool(done.stderr), expected, done.stderr)

    def test_many_threads_log_at_once_without_a_deadlock(self):
        logger = logging.getLogger("of many threads")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
        with sio.SimpleClient(logger=logger) as client:
            client.connect(shared().url)
            client.receive(timeout=5)
            client.emit("flood", (2000, 10))

            def work():
                for _ in range(300):
                    client.call("add", (1, 1), timeout=30)

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for number in range(2000):
                self.assertEqual(client.receive(timeout=30)[1], number)
            for thread in threads:
                thread.join(30)
            self.assertFalse(any(thread.is_alive() for thread in threads))

    def test_json_may_give_bytes(self):
        class Bytes:
            loads = staticmethod(json.loads)

            @staticmethod
            def dumps(value, **arguments):
                return json.dumps(value, **arguments).encode()

        with sio.SimpleClient(json=Bytes) as client:
            client.connect(shared().url, auth={"a": 1})
            self.assertEqual(client.call("echo_ack", ({"b": [b"1"]}, b"2")), ({"b": [b"1"]}, b"2"))

    def test_functions_are_asked_again_and_one_that_fails_fails_the_attempt(self):
        calls = []

        def auth():
            calls.append(threading.current_thread())
            if len(calls) == 2:
                raise LookupError("no ticket now")
            return {"n": len(calls)}

        client = sio.SimpleClient(reconnection_delay=0.05, randomization_factor=0)
        client.connect(shared().url, auth=auth, transports=["websocket"])
        client.receive(timeout=5)
        with self.assertLogs("sio.client", "ERROR") as logs:
            client.emit("drop")
            client.receive(timeout=10)
        self.assertIn("no ticket now", logs.output[0])
        self.assertEqual(client.call("handshake")["auth"], {"n": 3})
        self.assertIs(calls[0], threading.main_thread())
        client.disconnect()

    def test_values_are_used_again_at_a_reconnection(self):
        client = sio.SimpleClient(reconnection_delay=0.05)
        client.connect(
            shared().url + "?a=b", {"X-Token": "t"}, {"token": "secret"}, "websocket", "/auth"
        )
        client.receive(timeout=5)
        client.emit("drop")
        client.receive(timeout=10)
        shown = client.call("handshake")
        self.assertEqual(shown["auth"], {"token": "secret"})
        self.assertEqual(shown["headers"]["x-token"], "t")
        self.assertEqual(shown["query"]["a"], "b")
        client.disconnect()
        # And forgotten at the next connect.
        client.connect(shared().url)
        shown = client.call("handshake")
        self.assertEqual(shown["auth"], {})
        self.assertNotIn("x-token", shown["headers"])
        self.assertNotIn("a", shown["query"])
        client.disconnect()


class Mapping(unittest.TestCase):
    def test_tls_settings_become_options(self):
        from sio._options import client_options

        arguments = {
            name: parameter.default
            for name, parameter in inspect.signature(sio.SimpleClient).parameters.items()
            if name in inspect.signature(client_options).parameters
        }
        self.assertEqual(client_options(**arguments)["tls_verify"], "1")
        self.assertEqual(client_options(**{**arguments, "ssl_verify": False})["tls_verify"], "0")
        sslopt = {"cert_reqs": ssl.CERT_NONE, "ca_certs": "a", "certfile": "b", "keyfile": "c"}
        options = client_options(
            **{
                **arguments,
                "websocket_extra_options": {"sslopt": sslopt},
                "reconnection_delay": 0,
                "reconnection_delay_max": 2.5,
                "randomization_factor": 0.25,
            }
        )
        self.assertEqual(
            {name: options[name] for name in options if name.startswith(("tls", "reconnect_"))},
            {
                "tls_verify": "0",
                "tls_ca_file": "a",
                "tls_cert_file": "b",
                "tls_key_file": "c",
                "reconnect_attempts": "0",
                "reconnect_min_ms": "1",
                "reconnect_max_ms": "2500",
                "reconnect_jitter": "25",
            },
        )


class Package(unittest.TestCase):
    def test_a_library_that_is_not_there_is_an_import_error(self):
        done = subprocess.run(
            [sys.executable, "-c", "import sio"],
            env={**os.environ, "SIO_LIBRARY": "/nowhere/libsio.so"},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("ImportError", done.stderr)
        self.assertIn("SIO_LIBRARY", done.stderr)

    def test_the_version(self):
        self.assertRegex(sio.__version__, r"^\d+\.\d+\.\d+$")
        folder = os.path.dirname(sio.__file__)
        self.assertTrue(os.path.exists(os.path.join(folder, "py.typed")))

    def test_signatures_have_the_names_and_defaults_of_python_socketio(self):
        for ours, theirs in (
            (sio.SimpleClient, socketio.SimpleClient),
            (sio.AsyncSimpleClient, socketio.AsyncSimpleClient),
        ):
            for name in ("connect", "emit", "call", "receive", "disconnect"):
                mine = inspect.signature(getattr(ours, name)).parameters.values()
                other = inspect.signature(getattr(theirs, name)).parameters.values()
                self.assertEqual(
                    [(each.name, each.default, each.kind) for each in mine],
                    [(each.name, each.default, each.kind) for each in other],
                    name,
                )
            for name in ("sid", "transport"):
                self.assertIsInstance(inspect.getattr_static(ours, name), property)
        mine = inspect.signature(sio.SimpleClient).parameters
        for of in (
            inspect.signature(socketio.Client.__mro__[1].__init__).parameters,
            inspect.signature(socketio.Client()._engineio_client_class().__mro__[1].__init__).parameters,
        ):
            for each in of.values():
                if each.kind is each.POSITIONAL_OR_KEYWORD and each.name != "self":
                    self.assertIn(each.name, mine)
                    self.assertEqual(mine[each.name].default, each.default, each.name)


if __name__ == "__main__":
    unittest.main()
