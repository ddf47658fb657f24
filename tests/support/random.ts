export * from "../../compiler/reference/random.ts";
