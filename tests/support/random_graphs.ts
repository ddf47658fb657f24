export * from "../../runtime/lab/random_graph.ts";
export * from "../../runtime/lab/tapes.ts";
