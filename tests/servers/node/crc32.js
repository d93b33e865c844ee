// CRC-32 (IEEE), as zlib computes it. Node has it built in from 20.15 and 22.2 on; older ones are
// served by a table.
"use strict";

const zlib = require("node:zlib");

const table = new Uint32Array(256).map((_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

function byTable(buffer, start = 0) {
  let sum = ~start;
  for (const byte of buffer) sum = table[(sum ^ byte) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
}

// Node gives 0 for an empty buffer whose memory has been asked for (`.buffer`), as ws may do.
function byNode(buffer, start = 0) {
  return buffer.length === 0 ? start : zlib.crc32(buffer, start);
}

module.exports = { crc32: zlib.crc32 ? byNode : byTable, byTable };
