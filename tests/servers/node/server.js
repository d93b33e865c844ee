// The test protocol (../README.md) on npm socket.io.
//
// Owns: the mapping of the protocol onto socket.io's own interface. Every event goes through
// `socket.on`, as in a program, so that what socket.io loses or reorders is lost and reordered here
// too.
"use strict";

const http = require("node:http");
const { setImmediate: nextTurn } = require("node:timers/promises");
const { parseArgs } = require("node:util");
const { Server } = require("socket.io");
const { crc32 } = require("./crc32");

const { values: options } = parseArgs({
  options: {
    "ping-interval": { type: "string", default: "25000" },
    "ping-timeout": { type: "string", default: "20000" },
    "max-payload": { type: "string", default: "1000000" },
    path: { type: "string", default: "/socket.io/" },
    transports: { type: "string", default: "polling,websocket" },
    "no-upgrades": { type: "boolean", default: false },
    port: { type: "string", default: "0" },
    cookie: { type: "string" },
  },
});

const httpServer = http.createServer();
const io = new Server(httpServer, {
  path: options.path,
  pingInterval: Number(options["ping-interval"]),
  pingTimeout: Number(options["ping-timeout"]),
  maxHttpBufferSize: Number(options["max-payload"]),
  serveClient: false,
  transports: options.transports.split(","),
  allowUpgrades: !options["no-upgrades"],
  cookie: options.cookie ? { name: options.cookie, path: "/", httpOnly: true } : undefined,
});

// As a load balancer with sticky sessions does it: what does not bring the cookie back never gets to
// its session.
if (options.cookie) {
  io.engine.use((request, _response, next) => {
    const sid = new URL(request.url, "http://localhost").searchParams.get("sid");
    const sticky = !sid || hasCookie(request, options.cookie, sid);
    next(sticky ? undefined : new Error("no sticky cookie"));
  });
}

function hasCookie(request, name, value) {
  const cookies = (request.headers.cookie ?? "").split(";");
  return cookies.some((cookie) => cookie.trim() === `${name}=${value}`);
}

// What is remembered of each connection, also after its end: the latest by name, and each by sid.
const records = new Map();

function newRecord(socket) {
  const record = {
    name: "",
    sid: socket.id,
    namespace: socket.nsp.name,
    connected: true,
    connections: 1,
    reason: null,
    events: 0,
    count: 0,
    in_order: true,
    checked: 0,
    bad: 0,
    misplaced: 0,
    bytes: 0,
  };
  // The next sequence number of each thread that sends `check`.
  Object.defineProperty(record, "threads", { value: new Map(), enumerable: false });
  // The one that carries the connection now, or carried it last.
  Object.defineProperty(record, "transport", { get: () => socket.conn.transport.name, enumerable: true });
  records.set(socket.id, record);
  return record;
}

function giveName(record, name) {
  const earlier = records.get(name);
  if (earlier && earlier !== record) record.connections = earlier.connections + 1;
  record.name = name;
  records.set(name, record);
}

// socket.io's words for the end of a connection are the reference; only its "forced close" of an
// engine that the server itself closed has no name among them.
function reasonName(reason) {
  return reason === "forced close" ? "server namespace disconnect" : reason;
}

// ---- checkable content ----

const LETTERS = "abcdefghijklmnopqrstuvwxyz";
let bytePattern = Buffer.alloc(0);
let textPattern = "";

function bytesOf(i, k, length) {
  if (bytePattern.length < length + 256) {
    bytePattern = Buffer.alloc(length + 256).map((_, j) => j & 255);
  }
  const start = (i * 31 + k * 17) & 255;
  return bytePattern.subarray(start, start + length);
}

function textOf(i, length) {
  while (textPattern.length < length + 26) textPattern += LETTERS.repeat(64);
  const start = (i * 31) % 26;
  return textPattern.slice(start, start + length);
}

function sizeOf(i, max) {
  return (i * 7919) % (max + 1);
}

function mixedArgs(i, max) {
  const size = sizeOf(i, max);
  switch (i % 3) {
    case 0:
      return [i, textOf(i, size)];
    case 1:
      return [i, bytesOf(i, 0, size)];
    default:
      return [i, { parts: [bytesOf(i, 0, size), { deep: bytesOf(i, 1, sizeOf(i + 1, max)) }], text: textOf(i, 5) }];
  }
}

function buffersIn(value, found = []) {
  if (Buffer.isBuffer(value)) found.push(value);
  else if (Array.isArray(value)) for (const item of value) buffersIn(item, found);
  else if (value && typeof value === "object") for (const key of Object.keys(value)) buffersIn(value[key], found);
  return found;
}

// ---- floods ----

// The engine's buffer is the only place where unsent packets wait, so it is what has to stay short.
const WAITING_PACKETS = 128;

function drained(engine) {
  return new Promise((resolve) => {
    const done = () => {
      engine.off("drain", done);
      engine.off("close", done);
      resolve();
    };
    engine.on("drain", done);
    engine.on("close", done);
  });
}

async function flood(socket, name, n, argsOf) {
  const engine = socket.conn;
  for (let i = 0; i < n; i++) {
    // A socket that takes everything at once answers within the same turn, for ever; the turn is
    // given up here, so that what the client sends is read too.
    if (i % WAITING_PACKETS === 0) await nextTurn();
    while (socket.connected && engine.writeBuffer.length > WAITING_PACKETS) await drained(engine);
    if (!socket.connected) return;
    socket.emit(name, ...argsOf(i));
  }
  socket.emit(`${name}_done`, n);
}

// ---- the protocol ----

// Each handler gets the connection's record, the arguments, and `ack`, which does nothing if the
// client asked for no acknowledgement.
const handlers = {
  name(socket, record, [text], ack) {
    giveName(record, text);
    ack(text);
  },
  echo(socket, record, args) {
    socket.emit("echo", ...args);
  },
  add(socket, record, [a, b], ack) {
    ack(a + b);
  },
  echo_ack(socket, record, args, ack) {
    ack(...args);
  },
  no_ack() {},
  slow_ack(socket, record, [ms], ack) {
    setTimeout(() => ack(ms), ms);
  },
  ask(socket, record, args) {
    socket.emit("question", ...args, (...answer) => socket.emit("answer", ...answer));
  },
  count(socket, record, [seq], ack) {
    if (seq !== record.count) record.in_order = false;
    record.count += 1;
    ack(record.count);
  },
  check(socket, record, [thread, seq, crc, ...content], ack) {
    const buffers = buffersIn(content);
    record.checked += 1;
    if (buffers.reduce((sum, buffer) => crc32(buffer, sum), 0) !== crc) record.bad += 1;
    if (seq !== (record.threads.get(thread) ?? 0)) record.misplaced += 1;
    record.threads.set(thread, seq + 1);
    for (const buffer of buffers) record.bytes += buffer.length;
    ack(record.checked);
  },
  tally(socket, record, [name], ack) {
    ack(records.get(name) ?? null);
  },
  status(socket, record, args, ack) {
    ack({ connections: io.engine.clientsCount });
  },
  flood(socket, record, [n, bytes, binary]) {
    flood(socket, "flood", n, (i) => [i, binary ? bytesOf(i, 0, bytes) : textOf(i, bytes)]);
  },
  flood_forever(socket, record, [bytes, binary]) {
    flood(socket, "flood", Infinity, (i) => [i, binary ? bytesOf(i, 0, bytes) : textOf(i, bytes)]);
  },
  mixed(socket, record, [n, max]) {
    flood(socket, "mixed", n, (i) => mixedArgs(i, max ?? 2000));
  },
  kick(socket) {
    socket.disconnect();
  },
  kick_hard(socket) {
    socket.conn.close();
  },
  drop(socket) {
    const { transport } = socket.conn;
    // Of websocket the connection itself; of polling the one on which the poll waits, or the one of
    // the POST that brought this.
    const connections = [transport.socket?._socket, transport.req?.socket, transport.dataReq?.socket];
    for (const connection of connections) connection?.destroy();
    // Without a poll nobody would notice.
    if (transport.name === "polling") transport.onError("dropped");
  },
  transport(socket, record, args, ack) {
    ack(socket.conn.transport.name);
  },
  handshake(socket, record, args, ack) {
    const { headers, query, auth, url } = socket.handshake;
    ack({ headers, query, auth, url });
  },
};

function serve(socket) {
  const record = newRecord(socket);
  if (typeof socket.handshake.auth.name === "string") giveName(record, socket.handshake.auth.name);
  const call = (handler, args) => {
    record.events += 1;
    const ack = typeof args.at(-1) === "function" ? args.pop() : () => {};
    handler(socket, record, args, ack);
  };
  for (const [name, handler] of Object.entries(handlers)) {
    socket.on(name, (...args) => call(handler, args));
  }
  // Any other event comes back under its own name. onAny runs before socket.io's own turn, in which
  // it drops events of a connection that ended, so the same turn is waited for here.
  socket.onAny((name, ...args) => {
    if (Object.hasOwn(handlers, name)) return;
    process.nextTick(() => {
      if (!socket.connected) return;
      call((_socket, _record, echoed, ack) => {
        socket.emit(name, ...echoed);
        ack(...echoed);
      }, args);
    });
  });
  socket.on("disconnect", (reason) => {
    record.connected = false;
    record.reason = reasonName(reason);
  });
  socket.emit("welcome", { sid: socket.id });
}

io.of("/refuse").use((socket, next) => {
  const error = new Error("not welcome");
  error.data = { code: 403 };
  next(error);
});
io.of("/auth").use((socket, next) => {
  next(socket.handshake.auth.token === "secret" ? undefined : new Error("bad token"));
});
for (const namespace of ["/", "/admin", "/auth"]) io.of(namespace).on("connection", serve);

// The test that started this process holds the other end of stdin: its end is ours.
process.stdin.resume();
for (const end of ["end", "close", "error"]) process.stdin.on(end, () => process.exit(0));

httpServer.listen(Number(options.port), "127.0.0.1", () => {
  process.stdout.write(`LISTENING ${httpServer.address().port}\n`);
});
