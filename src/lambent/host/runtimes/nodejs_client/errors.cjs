// Errors in the shapes in which Lambda's Node.js runtimes tell them.
"use strict";

class RuntimeError extends Error {
  constructor(name, message, cause) {
    super(message);
    this.name = `Runtime.${name}`;
    if (cause?.stack) this.stack = `${this.name}: ${message}\n${frames(cause)}`;
  }
}

const frames = (error) => {
  const lines = error.stack.split("\n");
  return lines.slice(lines.findIndex((line) => /^\s+at /.test(line))).join("\n");
};

class HandlerNotFound extends RuntimeError {
  constructor(message) {
    super("HandlerNotFound", message);
  }
}

class MalformedHandlerName extends RuntimeError {
  constructor(message) {
    super("MalformedHandlerName", message);
  }
}

class ImportModuleError extends RuntimeError {
  constructor(cause) {
    super("ImportModuleError", String(cause), cause);
  }
}

class UserCodeSyntaxError extends RuntimeError {
  constructor(cause) {
    super("UserCodeSyntaxError", String(cause));
    // A syntax error's stack begins with its place: file, line and a pointer.
    this.stack = `${this.name}: ${this.message}\n${cause.stack}`;
  }
}

class UnhandledPromiseRejection extends RuntimeError {
  constructor(reason, promise) {
    super("UnhandledPromiseRejection", String(reason));
    this.reason = reason;
    this.promise = promise;
  }
}

class CallbackHandlerDeprecated extends RuntimeError {
  constructor() {
    super(
      "CallbackHandlerDeprecated",
      "ERROR: AWS Lambda has removed support for callback-based function handlers starting " +
        "with Node.js 24. You need to modify this function to use a supported handler " +
        "signature to use Node.js 24 or later. For more information see " +
        "https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.",
    );
  }
}

/** What an invocation's caller gets: { errorType, errorMessage, trace }. */
function shaped(error) {
  try {
    if (error instanceof Error || (error?.name && error?.message && error?.stack)) {
      return {
        errorType: clean(error.name),
        errorMessage: clean(error.message),
        trace: clean(error.stack ?? "").split("\n"),
      };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    return {
      errorType: "handled",
      errorMessage:
        "callback called with Error argument, but there was a problem while retrieving one or " +
        "more of its message, name, and stack",
      trace: [],
    };
  }
}

const clean = (text) => String(text).replaceAll("\x7f", "%7F");

/** What a log line shows of an error: the same, and whatever the error carries. */
function logged(error) {
  try {
    return JSON.stringify(error instanceof Error ? error : new Error(String(error)), (_, value) =>
      value instanceof Error
        ? {
            errorType: value.name,
            errorMessage: value.message,
            code: value.code,
            ...value,
            stack: typeof value.stack === "string" ? value.stack.split("\n") : undefined,
          }
        : value,
    );
  } catch {
    return JSON.stringify(shaped(error));
  }
}

/** The X-Ray cause header of an error; undefined when it would be too long for one. */
function forXRay({ errorType, errorMessage, trace }) {
  const stack = trace
    .map((line) => /^\s+at (?:(.*?) )?\(?(.*?):(\d+):\d+\)?$/.exec(line))
    .filter(Boolean)
    .map(([, label = "anonymous", path, line]) => ({ path, line: Number(line), label }));
  const cause = JSON.stringify({
    working_directory: process.cwd(),
    exceptions: [{ type: errorType, message: errorMessage, stack }],
    paths: [...new Set(stack.map(({ path }) => path))],
  });
  return cause.length < 65536 && /^[\x20-\x7e]*$/.test(cause) ? cause : undefined;
}

module.exports = {
  HandlerNotFound,
  MalformedHandlerName,
  ImportModuleError,
  UserCodeSyntaxError,
  UnhandledPromiseRejection,
  CallbackHandlerDeprecated,
  shaped,
  logged,
  forXRay,
};
