/**
 * Environment variables that Deno's WebGPU reads, once, at the first `requestAdapter()` of a process.
 * @module
 */

/**
 * Sets what WebGPU needs and the user has not set. Call it before the first `requestAdapter()`; child processes inherit
 * the values. Without permission to read and write the environment it leaves everything as it is.
 *
 * On Linux only Vulkan gives a working adapter: without a Vulkan driver Deno falls back to OpenGL silently, where
 * kernels fail later and obscurely, and naming the backend turns that into "no adapter". The Vulkan loader complains
 * on stderr where XDG_RUNTIME_DIR is unset; any folder silences it.
 */
export function prepareEnvironment(): void {
  if (Deno.build.os !== "linux") return;
  setIfUnset("DENO_WEBGPU_BACKEND", "vulkan");
  setIfUnset("XDG_RUNTIME_DIR", "/tmp");
}

function setIfUnset(variable: string, value: string): void {
  if (Deno.permissions.querySync({ name: "env", variable }).state !== "granted") return;
  if (!Deno.env.get(variable)) Deno.env.set(variable, value);
}
