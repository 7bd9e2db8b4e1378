// The wire to the Lambda Runtime API: four requests over one kept connection.
"use strict";

const http = require("node:http");
const { shaped, forXRay } = require("./errors.cjs");

const PREFIX = "/2018-06-01/runtime/";

class Api {
  constructor(address) {
    [this.host, this.port] = address.split(":");
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  }

  /** The next invocation: { headers, body }. */
  next() {
    return this.request("GET", "invocation/next");
  }

  succeed(id, body) {
    return this.request("POST", `invocation/${id}/response`, body);
  }

  fail(id, error) {
    return this.request("POST", `invocation/${id}/error`, ...described(error));
  }

  failInit(error) {
    return this.request("POST", "init/error", ...described(error));
  }

  /** A request whose body is streamed; emits "response". */
  stream(id) {
    return http.request(
      this.options("POST", `invocation/${id}/response`, {
        "Content-Type": "application/octet-stream",
        "Lambda-Runtime-Function-Response-Mode": "streaming",
        "Transfer-Encoding": "chunked",
        Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
      }),
    );
  }

  options(method, path, headers) {
    const { host, port, agent } = this;
    return { host, port, agent, method, path: PREFIX + path, headers };
  }

  request(method, path, body, headers = {}) {
    return new Promise((resolve, reject) => {
      if (body !== undefined) {
        headers["Content-Type"] = "application/json";
        headers["Content-Length"] = Buffer.byteLength(body);
      }
      const request = http.request(this.options(method, path, headers), (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }),
        );
      });
      request.on("error", reject);
      request.end(body);
    });
  }
}

function described(error) {
  const body = shaped(error);
  const headers = {
    "Lambda-Runtime-Function-Error-Type": String(body.errorType).replace(/[^\x20-\x7e]/g, "?"),
  };
  const cause = forXRay(body);
  if (cause) headers["Lambda-Runtime-Function-XRay-Error-Cause"] = cause;
  return [JSON.stringify(body), headers];
}

module.exports = { Api };
