"""The test protocol on python-socketio's threaded Server, served by werkzeug.

Two defects of the parts below are kept out here, because with them no test could tell whose fault a
broken stream is: python-socketio puts the packets of one binary event into the queue one by one, so
that two threads can mix theirs, and simple-websocket writes to the socket from two threads. Each has
a lock.
"""

import socket
import threading
import time

import socketio
from werkzeug.serving import WSGIRequestHandler, make_server

import protocol
from protocol import Ack, Ask, Drop, Emit, Flood, Kick, KickHard


class Server(socketio.Server):
    """Handles the events of a connection one after another, as they came."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.sending = threading.RLock()

    def emit(self, *args, **kwargs):
        with self.sending:
            super().emit(*args, **kwargs)

    def _send_packet(self, eio_sid, pkt):
        with self.sending:
            super()._send_packet(eio_sid, pkt)

    def _handle_event_internal(self, server, sid, eio_sid, data, namespace, id):
        handle = super()._handle_event_internal
        args = (server, sid, eio_sid, data, namespace, id)
        # With async_handlers every event has a thread of its own, and their order is lost; so only
        # the one that waits has.
        if data[0] == "slow_ack":
            self.start_background_task(handle, *args)
        else:
            handle(*args)


class Host:
    """Carries out the actions of the test protocol."""

    def __init__(self, given):
        self.sio = Server(
            async_mode="threading", async_handlers=False, **protocol.server_options(given)
        )
        self.protocol = protocol.Protocol(self.sio)
        self.cookie = given.cookie
        self.connections = protocol.Connections()
        for namespace in protocol.NAMESPACES:
            self._serve(namespace)

    def _serve(self, namespace):
        def connect(sid, environ, auth):
            self.protocol.connect(sid, namespace, auth)
            self._emit(sid, namespace, "welcome", ({"sid": sid},))

        def disconnect(sid, reason):
            self.protocol.disconnect(sid, reason)

        def event(name, sid, *args):
            actions = self.protocol.respond(sid, name, args)
            answer = self.sio.not_handled
            for action in actions:
                if isinstance(action, Ack):
                    if action.after_ms:
                        time.sleep(action.after_ms / 1000)
                    answer = action.args
                else:
                    self._do(sid, namespace, action)
            return answer

        self.sio.on("connect", connect, namespace=namespace)
        self.sio.on("disconnect", disconnect, namespace=namespace)
        self.sio.on("*", event, namespace=namespace)

    def before(self, app):
        """The application, with what goes before each HTTP request."""

        def application(environ, start_response):
            query = environ.get("QUERY_STRING", "")
            self.connections.note(query, environ["werkzeug.socket"])
            if protocol.lacks_cookie(self.cookie, query, environ.get("HTTP_COOKIE", "")):
                start_response("400 Bad Request", [("Content-Type", "text/plain")])
                return [b"no sticky cookie"]
            return app(environ, start_response)

        return application

    def _do(self, sid, namespace, action):
        eio_sid = self.sio.manager.eio_sid_from_sid(sid, namespace)
        match action:
            case Emit():
                self._emit(sid, namespace, action.name, action.args)
            case Ask():

                def answered(*args):
                    self._emit(sid, namespace, "answer", args)

                self._emit(sid, namespace, "question", action.args, answered)
            case Flood():
                self.sio.start_background_task(self._flood, sid, namespace, action)
            case Kick():
                self.sio.disconnect(sid, namespace=namespace)
            case KickHard():
                self.sio.eio.disconnect(eio_sid)
            case Drop():
                self._drop(sid, namespace)

    def _drop(self, sid, namespace):
        eio_sid = self.sio.manager.eio_sid_from_sid(sid, namespace)
        engine = self.sio.eio.sockets.get(eio_sid)
        first = self.sio.get_environ(sid, namespace)["werkzeug.socket"]
        for connection in [first, *self.connections.of(eio_sid)]:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                # Each request has a connection of its own, and most of them are closed.
                pass
        if not engine.upgraded:
            # Nobody is told that the connection of a poll is gone.
            reason = self.sio.eio.reason.TRANSPORT_ERROR
            engine.close(wait=False, abort=True, reason=reason)

    def _emit(self, sid, namespace, name, args, callback=None):
        self.sio.emit(name, tuple(args), to=sid, namespace=namespace, callback=callback)

    def _flood(self, sid, namespace, action):
        engine = self.sio.eio.sockets.get(self.sio.manager.eio_sid_from_sid(sid, namespace))
        i = 0
        while i < action.n:
            while not engine.closed and engine.queue.qsize() > protocol.WAITING_PACKETS:
                time.sleep(0.001)
            if engine.closed or not self.sio.manager.is_connected(sid, namespace):
                return
            self._emit(sid, namespace, action.name, action.args_of(i))
            i += 1
        self._emit(sid, namespace, f"{action.name}_done", (action.n,))


class LockedSocket:
    """A socket whose sends are whole and do not mix."""

    def __init__(self, inner):
        self.inner = inner
        self.sending = threading.Lock()

    def send(self, data):
        with self.sending:
            self.inner.sendall(data)
        return len(data)

    def __getattr__(self, name):
        return getattr(self.inner, name)


class RequestHandler(WSGIRequestHandler):
    def make_environ(self):
        environ = super().make_environ()
        environ["werkzeug.socket"] = LockedSocket(environ["werkzeug.socket"])
        return environ

    def connection_dropped(self, *args):
        # This is how the end of a websocket gets here. What else comes by it is no request.
        self.close_connection = True

    def log_request(self, *args):
        pass


def main():
    given = protocol.options()
    host = Host(given)
    app = host.before(socketio.WSGIApp(host.sio, socketio_path=given.path))
    server = make_server("127.0.0.1", given.port, app, threaded=True, request_handler=RequestHandler)
    protocol.listening(server.server_port)
    server.serve_forever()


main()
