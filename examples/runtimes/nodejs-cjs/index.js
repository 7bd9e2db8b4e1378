// A Lambda function in Node.js, as a CommonJS module: greets whom the event names.
"use strict";

exports.handler = async (event, context) => {
  const name = event.name.trim();
  console.log("greeting %s", name);
  const greeting = process.env.GREETING ?? "Hello";
  return { greeting: `${greeting}, ${name}, from CommonJS!`, request: context.awsRequestId };
};
