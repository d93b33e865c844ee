import sys

import socketio

TEXTS = ["é", "⚡", "🚀🎉", "日本語", "\u2028\u2029", "tab\tnewline\nquote\"back\\slash/", "\x00\x01\x1f\x7f",
         "\ufeffbom", "a\u0301", "\U0010ffff", "עברית"]

with socketio.SimpleClient() as client:
    client.connect(sys.argv[1])
    client.receive(timeout=5)
    for text in TEXTS:
        client.emit("echo", {text: text})
        print(ascii(client.receive(timeout=5)))
        print(ascii(client.call("echo_ack", text)))
    client.emit("ein Ereignis: é⚡🚀 \"quoted\" \\", "named oddly")
    print(ascii(client.receive(timeout=5)))
