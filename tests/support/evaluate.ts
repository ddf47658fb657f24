export * from "../../compiler/reference/evaluate.ts";
