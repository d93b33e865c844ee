// Times calls by npm socket.io-client against the canned server: node calls.js PORT.
// Prints one line: call_p50_us call_p99_us.

const { io } = require("socket.io-client");

const CALLS = 5000;
const socket = io(`http://127.0.0.1:${process.argv[2]}`, { transports: ["websocket"] });

socket.on("connect", async () => {
  const call = () => new Promise((resolve) => socket.emit("add", 2, 3, resolve));
  for (let i = 0; i < 2000; i++) await call();
  const times = [];
  for (let i = 0; i < CALLS; i++) {
    const start = process.hrtime.bigint();
    await call();
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  times.sort((a, b) => a - b);
  console.log(`${times[CALLS / 2].toFixed(1)} ${times[Math.floor(CALLS * 0.99)].toFixed(1)}`);
  socket.disconnect();
});
