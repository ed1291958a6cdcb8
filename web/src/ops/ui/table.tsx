// A table that becomes a list of cards where it is narrow. The roles are spelt out: browsers drop those of a table
// whose rows are laid out in another way.

import type { ComponentChildren, JSX } from "preact";

export interface Column {
  id: string;
  label: string;
  numeric?: boolean;
}

export interface TableRow {
  key: string | number;
  cells: Record<string, ComponentChildren>;
  tone?: "bad";
}

interface TableProps {
  label: string;
  columns: Column[];
  rows: TableRow[];
  /** Stays a table on the narrowest screen: for few and short columns. */
  compact?: boolean;
}

export function Table({ label, columns, rows, compact = false }: TableProps): JSX.Element {
  return (
    <table class={compact ? "data data-compact" : "data"} role="table" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th
              key={column.id}
              role="columnheader"
              scope="col"
              data-column={column.id}
              data-numeric={column.numeric ? "" : undefined}
            >
              {column.label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={row.key} role="row" data-tone={row.tone}>
            {columns.map((column) => (
              <td
                key={column.id}
                role="cell"
                data-label={column.label}
                data-column={column.id}
                data-numeric={column.numeric ? "" : undefined}
              >
                {row.cells[column.id]}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
