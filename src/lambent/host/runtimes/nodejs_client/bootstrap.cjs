// Lambent's runtime client for Node.js: loads the handler and serves invocations, one at a time.
//
// Speaks the public Lambda Runtime API (2018-06-01). Owns the loop; `api` owns the wire,
// `loader` finds handlers, `errors` shapes errors, `logging` the console.
"use strict";

const { Api } = require("./api.cjs");
const errors = require("./errors.cjs");
const { loadHandler, STREAMING } = require("./loader.cjs");
const logging = require("./logging.cjs");
const streaming = require("./streaming.cjs");

const CALLBACKS_END = 24;
const major = Number(/nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV)?.[1] ?? 0);
const api = new Api(process.env.AWS_LAMBDA_RUNTIME_API);
let current; // the invocation that runs
let whenIdle; // what to do when the event loop runs empty

process.on("beforeExit", () => {
  const then = whenIdle;
  whenIdle = undefined;
  then?.();
});
process.on("uncaughtException", (error) => end("Uncaught Exception", error, 129));
process.on("unhandledRejection", (reason, promise) =>
  end("Unhandled Promise Rejection", new errors.UnhandledPromiseRejection(reason, promise), 128),
);

/** Tell what nobody caught, and end the process as Lambda does. */
function end(title, error, status) {
  logging.error(title, error);
  const told = current ? api.fail(current.id, error) : api.failInit(error);
  current = undefined;
  told.finally(() => process.exit(status));
}

async function serve() {
  const memory = process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE;
  const fixed = {
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: memory,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
  };
  streaming.install();
  const handler = await loadHandler(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
  if (major >= CALLBACKS_END && handler.length >= 3 && !handler[STREAMING]) {
    throw new errors.CallbackHandlerDeprecated();
  }
  next(handler, fixed);
}

function next(handler, fixed) {
  api.next().then(({ headers, body }) => {
    const id = headers["lambda-runtime-aws-request-id"];
    const trace = headers["lambda-runtime-trace-id"];
    if (trace) process.env._X_AMZN_TRACE_ID = trace;
    else delete process.env._X_AMZN_TRACE_ID;
    logging.setRequest(id);
    const invocation = new Invocation(id, () => next(handler, fixed));
    current = invocation;
    // In a task of its own, so that what it throws is not this promise's.
    setImmediate(() => invocation.run(handler, body, headers, fixed));
  });
}

class Invocation {
  constructor(id, done) {
    this.id = id;
    this.done = done;
    this.waits = true;
  }

  run(handler, body, headers, fixed) {
    const context = this.context(headers, fixed);
    whenIdle = () => this.succeed(null);
    try {
      const event = JSON.parse(body);
      if (handler[STREAMING]) {
        streaming.run(api, this.id, () => current === this, handler, event, context).then(
          () => this.settle(() => Promise.resolve()),
          (error) => this.fail(error),
        );
        return;
      }
      const result = handler(event, context, this.callback);
      if (typeof result?.then === "function") {
        result.then(
          (value) => this.succeed(value),
          (error) => this.fail(error),
        );
      }
    } catch (error) {
      this.fail(error);
    }
  }

  callback = (error, value) => {
    if (error !== undefined && error !== null) this.fail(error);
    else if (!this.waits) this.succeed(value);
    else if (current === this) whenIdle = () => this.succeed(value);
  };

  succeed(value) {
    let body;
    try {
      body = JSON.stringify(value === undefined ? null : value) ?? "null";
    } catch {
      this.fail(new Error("Unable to stringify response body"));
      return;
    }
    this.settle(() => api.succeed(this.id, body));
  }

  fail(error) {
    this.settle(() => {
      logging.error("Invoke Error", error);
      return api.fail(this.id, error);
    });
  }

  /** Answer once; later answers of the same invocation are nobody's. */
  settle(answer) {
    if (current !== this) return;
    current = undefined;
    whenIdle = undefined;
    answer().then(this.done);
  }

  context(headers, fixed) {
    const deadline = Number(headers["lambda-runtime-deadline-ms"]);
    const invocation = this;
    const context = {
      get callbackWaitsForEmptyEventLoop() {
        return invocation.waits;
      },
      set callbackWaitsForEmptyEventLoop(value) {
        invocation.waits = Boolean(value);
      },
      ...fixed,
      clientContext: parsed(headers["lambda-runtime-client-context"]),
      identity: parsed(headers["lambda-runtime-cognito-identity"]),
      invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
      awsRequestId: this.id,
      getRemainingTimeInMillis: () => deadline - Date.now(),
    };
    if (major < CALLBACKS_END) {
      const answer = (error, value) => {
        this.waits = false;
        this.callback(error, value);
      };
      context.done = answer;
      context.succeed = (value) => answer(null, value);
      context.fail = (error) => answer(error ?? "handled");
    }
    return context;
  }
}

const parsed = (header) => (header ? JSON.parse(header) : undefined);

logging.patch();
serve().catch((error) => {
  logging.error("Uncaught Exception", error);
  api.failInit(error).finally(() => process.exit(1));
});
