// A Lambda function in Node.js, as an ES module: greets whom the event names.

const greeting = await Promise.resolve(process.env.GREETING ?? "Hello");

export const handler = async (event, context) => {
  const name = event.name.trim();
  console.log("greeting %s", name);
  return { greeting: `${greeting}, ${name}, from an ES module!`, request: context.awsRequestId };
};
