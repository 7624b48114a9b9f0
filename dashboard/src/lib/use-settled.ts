// A value once it has stopped changing.
import { useEffect, useState } from "react";

export function useSettled<T>(value: T, after_ms: number): T {
  const [settled, setSettled] = useState(value);
  const key = JSON.stringify(value);
  // biome-ignore lint/correctness/useExhaustiveDependencies: compared by content, not by identity
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), after_ms);
    return () => clearTimeout(timer);
  }, [key, after_ms]);
  return settled;
}
