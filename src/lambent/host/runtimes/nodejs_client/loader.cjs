// Finding a function's handler: CommonJS or ES module, in the code folder or in NODE_PATH.
"use strict";

const fs = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const errors = require("./errors.cjs");

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");

/** The function that `handler` ("folder/module.export.nested") names below `root`. */
async function loadHandler(root, handler) {
  if (handler.includes("..")) {
    throw new errors.MalformedHandlerName(
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root ` +
        "directories in handler names.",
    );
  }
  const base = path.basename(handler);
  const folder = handler.slice(0, handler.length - base.length);
  const match = /^([^.]*)\.(.+)$/.exec(base);
  if (!match) throw new errors.MalformedHandlerName("Bad handler");
  const module = await load(root, folder, match[1]);
  const find = (found) => match[2].split(".").reduce((value, key) => value?.[key], found);
  const found = find(module) ?? find(module?.default);
  if (found === undefined || found === null) {
    throw new errors.HandlerNotFound(`${handler} is undefined or not exported`);
  }
  if (typeof found !== "function") {
    throw new errors.HandlerNotFound(`${handler} is not a function`);
  }
  return found;
}

async function load(root, folder, name) {
  const file = path.resolve(root, folder, name);
  try {
    for (const extension of ["", ".js", ".mjs", ".cjs"]) {
      const candidate = file + extension;
      if (fs.statSync(candidate, { throwIfNoEntry: false })?.isFile()) {
        return isModule(candidate, extension)
          ? await import(pathToFileURL(candidate).href)
          : createRequire(candidate)(candidate);
      }
    }
    return require(require.resolve(name, { paths: [root, path.join(root, folder)] }));
  } catch (error) {
    if (error instanceof SyntaxError) throw new errors.UserCodeSyntaxError(error);
    if (error?.code === "MODULE_NOT_FOUND") throw new errors.ImportModuleError(error);
    throw error;
  }
}

/** Whether a file is an ES module: by its extension, or the nearest package.json's type. */
function isModule(file, extension) {
  if (extension !== ".js") return extension === ".mjs";
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, "package.json");
    if (fs.existsSync(manifest)) {
      return JSON.parse(fs.readFileSync(manifest, "utf8")).type === "module";
    }
    if (path.basename(folder) === "node_modules" || folder === path.dirname(folder)) return false;
  }
}

module.exports = { loadHandler, STREAMING };
