// A place in source code, which breaks at its slashes and not in the middle of a name.

import { Fragment, type JSX } from "preact";

export function Place({ text }: { text: string }): JSX.Element {
  return (
    <>
      {text.split("/").map((part, index) => (
        <Fragment key={index}>
          {index > 0 && (
            <>
              /<wbr />
            </>
          )}
          {part}
        </Fragment>
      ))}
    </>
  );
}
