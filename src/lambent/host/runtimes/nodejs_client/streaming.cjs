// Response streaming: `awslambda.streamifyResponse` and `awslambda.HttpResponseStream`.
"use strict";

const { shaped } = require("./errors.cjs");
const { STREAMING } = require("./loader.cjs");

const PRELUDE = "application/vnd.awslambda.http-integration-response";

function install() {
  globalThis.awslambda = {
    ...globalThis.awslambda,
    streamifyResponse(handler) {
      handler[STREAMING] = "response";
      return handler;
    },
    HttpResponseStream: {
      /** The same stream; before its first bytes goes what a Function URL answers with. */
      from(stream, metadata) {
        stream.setContentType(PRELUDE);
        stream.write(Buffer.concat([Buffer.from(JSON.stringify(metadata)), Buffer.alloc(8)]));
        return stream;
      },
    },
  };
}

/** Run a streaming handler; resolves when the host has the whole response. */
async function run(api, id, isCurrent, handler, event, context) {
  const stream = api.stream(id);
  const answered = new Promise((resolve, reject) => {
    stream.on("response", (response) => response.resume().on("end", resolve));
    stream.on("error", reject);
  });
  answered.catch(() => undefined);
  stream.setContentType = (type) => stream.setHeader("Content-Type", type);
  try {
    const result = handler(event, stream, context);
    if (typeof result?.then !== "function") {
      throw new Error("Streaming does not support non-async handlers.");
    }
    await result;
    await answered;
  } catch (error) {
    if (!stream.headersSent || !isCurrent()) {
      stream.destroy();
      throw error;
    }
    const body = shaped(error);
    stream.addTrailers({
      "Lambda-Runtime-Function-Error-Type": body.errorType,
      "Lambda-Runtime-Function-Error-Body": Buffer.from(JSON.stringify(body)).toString("base64"),
    });
    stream.end();
    await answered;
  }
}

module.exports = { install, run };
