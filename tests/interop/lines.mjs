// What the scripts beside this one share: where npm put the packages, and how tests call them.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

/** Imports a package that `make test` installed; ES modules would look for it in this folder. */
export const npm = createRequire(new URL("../../build/node-dev/", import.meta.url));

/**
 * Answers calls until standard input ends, one JSON line each:
 * `[name, arguments]` in, `{"result": ...}` or `{"error": "message"}` out.
 */
export async function serve(functions) {
  for await (const line of createInterface({ input: process.stdin })) {
    let answer;
    try {
      const [name, args] = JSON.parse(line);
      answer = { result: await functions[name](args) };
    } catch (error) {
      answer = { error: error.message };
    }
    console.log(JSON.stringify(answer));
  }
}
