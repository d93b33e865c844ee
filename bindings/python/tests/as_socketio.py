"""Runs programs that were written for python-socketio: `as_socketio.py PACKAGE`.

PACKAGE is "socketio", for python-socketio itself, or "sio", which then is what a program gets by
`import socketio`. Each line of the input is a JSON array: the program, its argument, and the files for
its output and its errors. Each program runs in a child process of its own, which has the package
imported already; the answer is a line with its exit status.
"""

import json
import os
import queue
import runpy
import signal
import sys
import threading

#: A program that takes longer is ended, in seconds.
LIMIT = 60


def main():
    if sys.argv[1] == "sio":
        import sio

        sys.modules["socketio"] = sio
        sys.modules["socketio.exceptions"] = sio.exceptions
    else:
        in_order()
    for line in sys.stdin:
        program, argument, output, errors = json.loads(line)
        child = os.fork()
        if child == 0:
            return run(program, argument, output, errors)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def run(program, argument, output, errors):
    """In the child; the program ends as the process does."""
    signal.alarm(LIMIT)
    for path, descriptor in ((os.devnull, 0), (output, 1), (errors, 2)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = [program, argument]
    runpy.run_path(program, run_name="__main__")


def in_order():
    """python-socketio's blocking client handles each packet in a thread of its own, so that events, and
    the attachments of one, overtake each other now and then. Here they are handled one after another,
    or else the comparison would fail now and then."""
    import engineio
    import socketio  # noqa: F401, imported before the programs are

    theirs = engineio.Client._trigger_event

    def handle_all(waiting):
        while True:
            waiting.get()()

    def trigger(self, event, *args, **kwargs):
        if event != "message":
            return theirs(self, event, *args, **kwargs)
        if not hasattr(self, "waiting_messages"):
            self.waiting_messages = queue.Queue()
            threading.Thread(target=handle_all, args=(self.waiting_messages,), daemon=True).start()
        kwargs["run_async"] = False
        self.waiting_messages.put(lambda: theirs(self, event, *args, **kwargs))

    engineio.Client._trigger_event = trigger


if __name__ == "__main__":
    main()
