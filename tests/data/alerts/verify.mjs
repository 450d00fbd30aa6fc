// Checks the signature of each line of JSON on standard input with npm's standardwebhooks; says how many hold.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { Webhook } = createRequire(`${process.env.NODE_PATH}/`)("standardwebhooks");
let good = 0;
let forged = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const got = JSON.parse(line);
  const webhook = new Webhook(got.secret);
  webhook.verify(got.body, got.headers);
  good += 1;
  try {
    webhook.verify(`${got.body} `, got.headers);
    forged += 1;
  } catch {}
}
console.log(JSON.stringify({ good, forged }));
