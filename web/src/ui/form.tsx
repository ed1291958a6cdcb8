// Parts of forms: a choice of a few, and one of a list.

import type { JSX } from "preact";

interface Option<T extends string> {
  value: T;
  label: string;
  lang?: string;
}

interface ChoiceProps<T extends string> {
  title: string;
  name: string;
  options: Option<T>[];
  value: T;
  onChange: (value: T) => void;
}

export function Choice<T extends string>({ title, name, options, value, onChange }: ChoiceProps<T>): JSX.Element {
  return (
    <fieldset class="choice">
      <legend>{title}</legend>
      <div class="segments">
        {options.map((option) => (
          <label key={option.value} class="segment" lang={option.lang}>
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            <span>{option.label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

interface SelectProps {
  title: string;
  testid: string;
  /** Identifier and name; the first one stands for "the system's choice". */
  options: [string, string][];
  value: string;
  onChange: (value: string) => void;
}

export function Select({ title, testid, options, value, onChange }: SelectProps): JSX.Element {
  return (
    <label class="field">
      <span class="choice-title">{title}</span>
      <select data-testid={testid} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([id, name]) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
