// Times npm socket.io-client as client.c does the library: node client.js PORT.

const { io } = require("socket.io-client");

const [WARM_CONNECTS, CONNECTS, WARM_CALLS, CALLS] = [20, 200, 500, 2000];
const url = `http://127.0.0.1:${process.argv[2]}`;

const now = () => Number(process.hrtime.bigint()) / 1000;
const median = (times) => times.sort((a, b) => a - b)[times.length / 2];

const connected = (transport) =>
  new Promise((resolve, reject) => {
    const socket = io(url, { transports: [transport], forceNew: true, reconnection: false });
    socket.on("connect", () => resolve(socket));
    socket.on("connect_error", reject);
  });

// A websocket is closed when its close event comes, a polling session when its last POST is answered.
const leave = (socket) =>
  new Promise((resolve) => {
    socket.io.engine.on("close", () => setImmediate(resolve));
    socket.disconnect();
  });

async function connects(transport) {
  const times = [];
  for (let i = -WARM_CONNECTS; i < CONNECTS; i++) {
    const start = now();
    const socket = await connected(transport);
    if (i >= 0) times.push(now() - start);
    await leave(socket);
  }
  return median(times);
}

async function calls(transport) {
  const socket = await connected(transport);
  const times = [];
  for (let i = -WARM_CALLS; i < CALLS; i++) {
    const start = now();
    await new Promise((resolve) => socket.emit("add", 2, 3, resolve));
    if (i >= 0) times.push(now() - start);
  }
  await leave(socket);
  return median(times);
}

(async () => {
  const figures = [await connects("polling"), await connects("websocket"), await calls("polling")];
  console.log(figures.map((figure) => figure.toFixed(1)).join(" "));
  process.exit(0);
})();
