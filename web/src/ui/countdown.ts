// The seconds until the next try, counted down.

import { useEffect, useState } from "preact/hooks";

/** Whole seconds until then (milliseconds of `performance.now`), 1 at least; 0 while it is null. */
export function useSecondsUntil(retryAt: number | null): number {
  const [, tick] = useState(0);
  useEffect(() => {
    if (retryAt === null) return;
    const timer = setInterval(() => tick((count) => count + 1), 500);
    return () => clearInterval(timer);
  }, [retryAt]);
  return retryAt === null ? 0 : Math.max(1, Math.ceil((retryAt - performance.now()) / 1000));
}
