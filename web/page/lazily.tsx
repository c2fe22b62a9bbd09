/** Parts of the page that are fetched when they are first shown. */
import { type ComponentType, lazy, type ReactNode, Suspense } from "react";

/**
 * A component whose code is a file of its own:
 *
 * ```tsx
 * const StreamPanel = lazily(async () => (await import("./stream_panel.tsx")).StreamPanel);
 * ```
 *
 * Until the code is here nothing is shown; where it cannot be fetched, a line says so.
 */
export function lazily<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): (props: Props) => ReactNode {
  const Part = lazy(async () => ({ default: await load().catch(() => Missing) }));
  return (props) => (
    <Suspense>
      <Part {...props} />
    </Suspense>
  );
}

function Missing(): ReactNode {
  return (
    <p className="refusal" role="alert">
      This part of the page could not be fetched. Look at the network, then reload the page.
    </p>
  );
}
