/**
 * Return `next` with every part of `before` in it that is the same, and `before` itself where all of it is.
 *
 * So what did not change is the same object after a read, and nothing that shows it renders again.
 */
export function share<T>(before: unknown, next: T): T {
  if (Object.is(before, next)) return next;
  if (!isTree(before) || !isTree(next) || Array.isArray(before) !== Array.isArray(next)) {
    return next;
  }
  const keys = Object.keys(next);
  let isSame = keys.length === Object.keys(before).length;
  const shared = (Array.isArray(next) ? [] : {}) as Record<string, unknown>;
  for (const key of keys) {
    shared[key] = share(before[key], next[key]);
    isSame &&= key in before && Object.is(shared[key], before[key]);
  }
  return (isSame ? before : shared) as T;
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
