// Copies of approved LoRAs in the folder of another program, such as ComfyUI.
import { queryOptions } from "@tanstack/react-query";
import { body, client } from "./client";

/** A copy takes seconds, and no event tells of it. */
const COPIES_EVERY_MS = 5_000;

export const loraCopiesQuery = () =>
  queryOptions({
    queryKey: ["lora-copies"],
    queryFn: () => body(client.GET("/api/v1/lora-copies")),
    refetchInterval: ({ state }) => (state.data?.folder ? COPIES_EVERY_MS : false),
  });
