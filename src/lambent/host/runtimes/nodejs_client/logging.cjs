// The console of a function: lines with time, request id and level, as text or as JSON.
//
// Where the host gives a descriptor for framed records (_LAMBDA_TELEMETRY_LOG_FD), a record of
// several lines stays one event; else its line ends become carriage returns.
"use strict";

const fs = require("node:fs");
const { format } = require("node:util");
const { logged } = require("./errors.cjs");

const LEVELS = { TRACE: 0, DEBUG: 1, INFO: 2, WARN: 3, ERROR: 4, FATAL: 5 };
const FRAME = { text: 0xa55a0003, json: 0xa55a0002 };
const json = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";
const least = (json && LEVELS[process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()]) || 0;
const descriptor = Number(process.env._LAMBDA_TELEMETRY_LOG_FD) || 0;
delete process.env._LAMBDA_TELEMETRY_LOG_FD;
let request;

function setRequest(id) {
  request = id;
}

function patch() {
  const methods = { trace: "TRACE", debug: "DEBUG", info: "INFO", log: "INFO" };
  Object.assign(methods, { warn: "WARN", error: "ERROR", fatal: "FATAL" });
  for (const [method, level] of Object.entries(methods)) {
    console[method] = (...values) => log(level, values);
  }
}

/** Log an error of the function's as Lambda does. */
function error(title, raised) {
  if (json) log("ERROR", [raised instanceof Error ? raised : new Error(String(raised))]);
  else log("ERROR", [`${title} `, `\t${logged(raised)}`], (values) => values.join(""));
}

function log(level, values, shape = (parts) => format(...parts)) {
  if (LEVELS[level] < least) return;
  const now = new Date();
  const line = json
    ? document(now.toISOString(), level, values)
    : [now.toISOString(), request, level, shape(values)].map(String).join("\t");
  write(now, line);
}

function document(timestamp, level, values) {
  const record = { timestamp, level, requestId: request };
  if (values.length === 1) {
    record.message = values[0];
    try {
      return JSON.stringify(record, (_, value) =>
        value instanceof Error ? { ...described(value), ...value } : value,
      );
    } catch {
      // What JSON cannot tell (cycles, big integers), text can.
    }
  }
  record.message = format(...values);
  const raised = values.find((value) => value instanceof Error);
  return JSON.stringify(raised ? { ...record, ...described(raised) } : record);
}

const described = (raised) => ({
  errorType: raised.constructor?.name ?? "UnknownError",
  errorMessage: raised.message,
  stackTrace: typeof raised.stack === "string" ? raised.stack.split("\n") : [],
});

function write(now, line) {
  if (!descriptor) {
    fs.writeSync(1, `${json ? line : line.replaceAll("\n", "\r")}\n`);
    return;
  }
  const body = Buffer.from(`${line}\n`);
  const frame = Buffer.alloc(16 + body.length);
  frame.writeUInt32BE(json ? FRAME.json : FRAME.text, 0);
  frame.writeUInt32BE(body.length, 4);
  frame.writeBigInt64BE(BigInt(now.getTime()) * 1000n, 8);
  body.copy(frame, 16);
  for (let at = 0; at < frame.length; ) at += fs.writeSync(descriptor, frame, at);
}

module.exports = { setRequest, patch, error };
