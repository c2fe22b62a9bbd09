import { expect, test } from "vitest";

import vectors from "../../tests/vectors/refusals.json";
import { ParleyError, refusalOf } from "../src/errors.ts";

test.each(vectors)("$says", ({ body, status, retry_after, expected }) => {
  const error = refusalOf(body, status, retry_after);
  const { slug, detail, hint, code, isTransient: is_transient } = error;
  expect({ slug, detail, hint, code, retry_after: error.retry_after, is_transient })
    .toEqual(expected);
});

test("no answer, and one that makes no sense, may be repeated", () => {
  expect(new ParleyError("unreachable", "Nobody is there.").isTransient).toBe(true);
  expect(new ParleyError("answer_refused", "What?").isTransient).toBe(true);
  expect(new ParleyError("store_unusable", "The disk is full.").isTransient).toBe(false);
});

test("an error says what happened, what to do and why", () => {
  const cause = new Error("QuotaExceededError");
  const error = new ParleyError("store_unusable", "The disk is full.", "Make room.", { cause });
  expect(`${error}`).toBe("ParleyError: The disk is full. Make room.");
  expect(error).toMatchObject({ slug: "store_unusable", status: 503, cause });
});

test("where the header cannot be read, the sentence of slow_down tells how long to wait", () => {
  const details = "That is too much at once; the next call may come in 41 s.";
  const body = { code: "PT429", message: "slow_down", details };
  expect(refusalOf(body, 429).retry_after).toBe(41);
  expect(refusalOf(body, 429, "7").retry_after).toBe(7);
  expect(refusalOf({ ...body, message: "room_archived" }, 423).retry_after).toBe(null);
  expect(refusalOf({ ...body, details: "Wait." }, 429).retry_after).toBe(null);
});
