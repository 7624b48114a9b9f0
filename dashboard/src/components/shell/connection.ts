// Whether the server can be reached, for what is shown inside of the shell.
import { createContext, useContext } from "react";
import type { Connection } from "~/api/socket";

export const ConnectionContext = createContext<Connection>("open");

export function useConnection(): Connection {
  return useContext(ConnectionContext);
}
