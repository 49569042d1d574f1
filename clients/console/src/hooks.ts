/** Loading, polling, the route, the time, and settings that the browser keeps. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type ApiProblem, type Newest, api, asProblem, read } from "./api";

export interface Loaded<T> {
  data: T | undefined;
  problem: ApiProblem | undefined;
  reload: () => Promise<void>;
}

/** Loads when `keys` change, and again every `pollMs` while the page is visible; old data stay meanwhile. */
export function useLoaded<T>(load: () => Promise<T>, keys: readonly unknown[], pollMs = 0): Loaded<T> {
  const [state, setState] = useState<{ data?: T; problem?: ApiProblem }>({});
  const current = useRef(0);
  const reload = useCallback(async () => {
    const started = ++current.current;
    try {
      const data = await load();
      if (started === current.current) setState({ data });
    } catch (failure) {
      const problem = asProblem(failure);
      if (started === current.current) setState((before) => ({ ...before, problem }));
    }
  }, keys);
  useEffect(() => {
    void reload();
    return () => void current.current++;
  }, [reload]);
  usePolling(reload, pollMs);
  return { data: state.data, problem: state.problem, reload };
}

/** Calls again and again, each time after the last call has ended; not while the page is hidden. */
export function usePolling(action: () => Promise<void>, intervalMs: number): void {
  useEffect(() => {
    if (!intervalMs) return;
    let timer = 0;
    let stopped = false;
    const schedule = () => {
      if (!stopped) timer = window.setTimeout(() => void again(), intervalMs);
    };
    const again = async () => {
      if (!document.hidden) await action();
      schedule();
    };
    schedule();
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [action, intervalMs]);
}

/** The ids of what is newest, asked for again and again, which is cheap; undefined before the first answer. */
export function useNewest(intervalMs: number): { newest: Newest | undefined; problem: ApiProblem | undefined } {
  const { data, problem } = useLoaded(() => read(api.GET("/v1/newest")), [], intervalMs);
  return { newest: data, problem };
}

/** A value once it has not changed for a moment. */
export function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), 300);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

export interface Route {
  page: string;
  id: string;
}

const readRoute = (): Route => {
  const [, page = "live", id = ""] = location.hash.split("/");
  return { page: page || "live", id };
};

export function useRoute(): Route {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const changed = () => setRoute(readRoute());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

export function useNow(intervalMs = 5000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
  return now;
}

export function useStored(key: string, initial: string): [string, (value: string) => void] {
  const [value, setValue] = useState(() => localStorage.getItem(key) ?? initial);
  const store = (changed: string) => {
    localStorage.setItem(key, changed);
    setValue(changed);
  };
  return [value, store];
}

/** Calls on a key, unless the user is writing in a field or a dialog is open. */
export function useKeys(actions: Readonly<Record<string, () => void>>): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA|SELECT/.test(target.tagName)) return;
      if (document.querySelector("dialog[open]")) return;
      const action = actions[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  });
}

/** The state of something that a button starts. */
export function useAction(): { busy: boolean; problem: ApiProblem | undefined; run: (action: () => Promise<void>) => Promise<boolean> } {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem>();
  const run = async (action: () => Promise<void>): Promise<boolean> => {
    setBusy(true);
    setProblem(undefined);
    try {
      await action();
      return true;
    } catch (failure) {
      setProblem(asProblem(failure));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, problem, run };
}
