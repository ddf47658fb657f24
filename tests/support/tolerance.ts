export * from "../../compiler/reference/tolerance.ts";
