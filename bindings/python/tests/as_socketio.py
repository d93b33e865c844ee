"""Runs a program that was written for python-socketio: `as_socketio.py PACKAGE PROGRAM ARGUMENTS...`.

PACKAGE is "socketio", for python-socketio itself, or "sio", which then is what the program gets by
`import socketio`.
"""

import runpy
import sys


def main():
    package, program = sys.argv[1:3]
    if package == "sio":
        import sio

        sys.modules["socketio"] = sio
        sys.modules["socketio.exceptions"] = sio.exceptions
    sys.argv = sys.argv[2:]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
