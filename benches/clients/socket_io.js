// Measures npm socket.io-client, with its native parts, as `benches/run.py` asks for it:
//
//     node socket_io.js CELL key=value ...
//
// Prints one line of JSON. Exit status 2: the client cannot do what is asked for.

const { readFileSync } = require("node:fs");
const { randomBytes } = require("node:crypto");
const { setTimeout: sleep } = require("node:timers/promises");
const { io } = require("socket.io-client");

const LONGEST = 300_000;
const [cell, ...pairs] = process.argv.slice(2);
const given = Object.fromEntries(pairs.map((pair) => [pair.split("=", 1)[0], pair.slice(pair.indexOf("=") + 1)]));
const { url, kind = "text", transport = "websocket" } = given;
const [count, bytes, open] = [given.count ?? 1, given.bytes ?? 64, given.open ?? 1].map(Number);

const options = {
  transports: transport === "upgrade" ? ["polling", "websocket"] : [transport],
  forceNew: true,
  reconnection: false,
  // The server compresses nothing; switched on, each message's length is taken for it all the same.
  perMessageDeflate: false,
};
if (given.ca) options.ca = readFileSync(given.ca);
if (given.verify === "0") options.rejectUnauthorized = false;

const cells = { recv, emit, call, connect, start, idle };

async function recv() {
  const socket = await connected();
  await flood(socket, Math.ceil(count / 10));
  const stop = measure();
  await flood(socket, count);
  return { count, ...stop() };
}

function flood(socket, events) {
  return new Promise((resolve) => {
    let left = events;
    const touch = kind === "binary" ? (data) => data.length === bytes : (record) => record.id === 12345;
    socket.off("tick");
    socket.on("tick", (first) => {
      if (!touch(first)) fail("an event without its payload");
      if (--left === 0) resolve();
    });
    socket.emit("flood", events, bytes, kind);
  });
}

async function emit() {
  const socket = await connected();
  const args = payload();
  await emits(socket, Math.ceil(count / 10), args);
  const stop = measure();
  await emits(socket, count, args);
  return { count, ...stop() };
}

function emits(socket, events, args) {
  return new Promise((resolve) => {
    for (let i = 0; i < events; i++) socket.emit("tick", ...args);
    socket.emit("done", (counted) => {
      if (counted !== events) fail(`the server counted ${counted} of ${events} events`);
      resolve();
    });
  });
}

async function call() {
  const socket = await connected();
  await calls(socket, Math.ceil(count / 10));
  const stop = measure();
  const times = await calls(socket, count);
  return { count, ...stop(), ...percentiles(times) };
}

// Each answer starts the next call.
function calls(socket, total) {
  return new Promise((resolve) => {
    const times = [];
    let started = 0;
    const next = () => {
      if (started++ >= total) return;
      const start = performance.now();
      socket.emit("add", 2, 3, () => {
        times.push(performance.now() - start);
        if (times.length === total) resolve(times);
        else next();
      });
    };
    for (let i = 0; i < open; i++) next();
  });
}

async function connect() {
  const times = [];
  for (let i = -Math.ceil(count / 10); i < count; i++) {
    const start = performance.now();
    const socket = await connected();
    if (i >= 0) times.push(performance.now() - start);
    await leave(socket);
  }
  return { count, ...percentiles(times) };
}

// A websocket is closed when its close event comes, a polling session when its last POST is answered.
function leave(socket) {
  return new Promise((resolve) => {
    socket.io.engine.on("close", () => setImmediate(resolve));
    socket.off("disconnect").disconnect();
  });
}

async function start() {
  await connected();
  return { count: 1 };
}

async function idle() {
  const [clients, seconds] = [Number(given.clients), Number(given.seconds)];
  const before = status("VmRSS");
  const sockets = [];
  for (let i = 0; i < clients; i++) sockets.push(await connected());
  const stop = measure();
  await sleep(seconds * 1000);
  const { cpu_us } = stop();
  const rss_kib = status("VmRSS");
  return { count: sockets.length, cpu_us, rss_kib, kib_each: (rss_kib - before) / clients };
}

function connected() {
  return new Promise((resolve) => {
    const socket = io(url, options);
    socket.on("connect_error", (error) => fail(`connect: ${error.description?.message ?? error.message}`));
    socket.on("disconnect", (reason) => fail(`disconnected: ${reason}`));
    socket.on("connect", () => {
      const { engine } = socket.io;
      if (transport !== "upgrade" || engine.transport.name === "websocket") resolve(socket);
      else engine.on("upgrade", () => resolve(socket));
    });
  });
}

// The arguments of an event as those that the server sends.
function payload() {
  if (kind === "binary") return [randomBytes(bytes)];
  const json = (args) => JSON.stringify(["tick", ...args]).length;
  const padded = (args, key) => {
    const last = args.at(-1);
    args[args.length - 1] = { ...last, [key]: last[key] + "x".repeat(Math.max(bytes - json(args), 0)) };
    return args;
  };
  if (kind === "string") return padded([{ id: 12345, text: "" }], "text");
  const record = { id: 12345, ok: true, at: [1.5, -2, 30], name: "ab" };
  const each = json([record]) - json([]);
  const records = Math.max(Math.floor((bytes - json([])) / each), 1);
  return padded(Array.from({ length: records }, () => ({ ...record })), "name");
}

function measure() {
  const [usage, start] = [process.cpuUsage(), performance.now()];
  return () => {
    const [wall, { user, system }] = [performance.now() - start, process.cpuUsage(usage)];
    return { cpu_us: user + system, wall_us: Math.round(wall * 1000) };
  };
}

function percentiles(times) {
  times.sort((a, b) => a - b);
  const at = (share) => Number((times[Math.floor(times.length * share)] * 1000).toFixed(1));
  return { p50_us: at(0.5), p99_us: at(0.99) };
}

function status(name) {
  return Number(readFileSync("/proc/self/status", "utf8").match(`${name}:\\s*(\\d+)`)[1]);
}

function fail(text, code = 1) {
  console.error(`socket_io.js: ${text}`);
  process.exit(code);
}

// Without its native parts the client is not what is to be measured.
function expectNative(part) {
  let native = false;
  try {
    native = require(part) !== require(`${part}/fallback`);
  } catch {}
  if (!native) console.error(`socket_io.js: ${part} did not build, its part in JavaScript is measured`);
}

if (!Object.hasOwn(cells, cell)) fail(`socket.io-client has no ${cell}, it queues nothing that it receives`, 2);
setTimeout(() => fail(`not done after ${LONGEST / 1000} s`), LONGEST).unref();
if (cell !== "start") ["bufferutil", "utf-8-validate"].forEach(expectNative);
cells[cell]().then((figures) => {
  const own = cell === "start" ? {} : { peak_kib: status("VmHWM"), threads: status("Threads") };
  process.stdout.write(`${JSON.stringify({ ...figures, ...own })}\n`, () => process.exit(0));
});
