/** Fields that take effect at once: what was chosen is shown while the server is asked. */
import { type ReactNode, startTransition, useOptimistic } from "react";

interface FieldProps<T> {
  readonly label: string;
  readonly hint?: string;
  readonly value: T;
  readonly onChoose: (value: T) => Promise<unknown>;
}

function useChosen<T>({ value, onChoose }: FieldProps<T>): [T, (next: T) => void] {
  const [shown, show] = useOptimistic(value);
  const choose = (next: T) =>
    startTransition(async () => {
      show(next);
      await onChoose(next);
    });
  return [shown, choose];
}

/** Something that is on or off. */
export function Switch(props: FieldProps<boolean>): ReactNode {
  const [isOn, choose] = useChosen(props);
  return (
    <button
      type="button"
      role="switch"
      className="switch line"
      aria-checked={isOn}
      onClick={() => choose(!isOn)}
    >
      <span>
        {props.label}
        {props.hint !== undefined && <span className="soft">{props.hint}</span>}
      </span>
    </button>
  );
}

interface SelectProps<T extends string> extends FieldProps<T> {
  readonly options: { readonly [value in T]: string };
}

/** One of several. */
export function Select<T extends string>(props: SelectProps<T>): ReactNode {
  const [chosen, choose] = useChosen(props);
  return (
    <label className="line">
      <span>
        {props.label}
        {props.hint !== undefined && <span className="soft">{props.hint}</span>}
      </span>
      <select value={chosen} onChange={(event) => choose(event.target.value as T)}>
        {Object.entries<string>(props.options).map(([value, name]) => (
          <option key={value} value={value}>{name}</option>
        ))}
      </select>
    </label>
  );
}
