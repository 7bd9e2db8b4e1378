// A debugged environment: open the inspector, tell its port, wait for a debugger, go on.
//
// Its one argument is where the port is told: HOST:PORT, which takes a line of text.
"use strict";

const inspector = require("node:inspector");
const net = require("node:net");

const [host, port] = process.argv.pop().split(":");
inspector.open(0, "127.0.0.1");
const told = net.connect(Number(port), host, () => {
  told.end(`${new URL(inspector.url()).port}\n`);
});
told.on("close", () => {
  inspector.waitForDebugger();
  require("./bootstrap.cjs");
});
