// The side panel: who can be talked to, and what has been talked about; in a room, the room.

import type { JSX } from "preact";
import { Characters } from "./characters";
import { useApp } from "./context";
import { Histories } from "./histories";
import { RoomInfo, RoomsEntry } from "./room";

/** `onChosen` is called when something was picked, so that a drawer can close. */
export function Sidebar({ onChosen }: { onChosen: () => void }): JSX.Element {
  const { snapshot } = useApp();
  const { room, connected } = snapshot.session;
  // While there is no connection nothing in it can be chosen, but keys must still scroll it.
  return (
    <div class="sidebar" tabIndex={connected ? undefined : 0}>
      {room !== null && <RoomInfo room={room} />}
      <Characters onChosen={onChosen} />
      {room === null && <Histories onChosen={onChosen} />}
      {room === null && <RoomsEntry />}
    </div>
  );
}
