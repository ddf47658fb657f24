/**
 * Weft: typed graphs in TypeScript, compiled to fused WGSL.
 *
 * A model is a function of tensors, traced once. Its shapes are checked by the type checker where they are literal, and
 * when the graph is made in any case.
 *
 * @example A model and its training step
 * ```ts
 * import { adam, crossEntropy, input, linear, model, relu, trainStep } from "@weft/weft";
 *
 * const mlp = model({ x: input(["batch", 784], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
 *   const hidden = linear(784, 128), out = linear(128, 10);
 *   const logits = out(relu(hidden(x)));
 *   return { logits, loss: crossEntropy(logits, y) };
 * });
 * const step = trainStep(mlp.only("loss"), adam({ rate: 1e-3 }));
 * ```
 *
 * @module
 */

// Models: what a user writes.
export { input, type Inputs, type InputSpec, type SizesOf } from "./compiler/model/input.ts";
export { fuse } from "./compiler/model/hints.ts";
export { checkpoint, Model, model, named, type Outputs } from "./compiler/model/model.ts";
export { parameter, setState, state } from "./compiler/model/states.ts";
export { showType, Tensor, type TensorType } from "./compiler/graph/node.ts";
export type { Dim, Shape, Sizes } from "./compiler/graph/dim.ts";
export type { DType, StoredArray } from "./compiler/graph/dtype.ts";
export type { Initializer } from "./compiler/graph/graph.ts";
export { CompileError, RunError, ShapeError, WeftError } from "./compiler/errors.ts";

// What a model is made of: ops, functions over them, layers and their initializers.
export * from "./ops/mod.ts";
export { applyNamed } from "./ops/apply_named.ts";
export { linear } from "./ops/nn/linear.ts";
export * as init from "./ops/nn/init.ts";
export * as nn from "./ops/nn/layers.ts";

// Ops of one's own: `examples/extend/` shows one, and other parts that can be added.
export { apply as applyOp } from "./compiler/graph/build.ts";
export type { Op } from "./compiler/graph/op.ts";
export { defineOp } from "./ops/define_op.ts";
export { checkOp, type OpReport } from "./runtime/check_op/check_op.ts";

// Training.
export { gradient } from "./compiler/autodiff/gradient.ts";
export { adam, type AdamOptions, adamW, type AdamWOptions } from "./ops/optim/adam.ts";
export {
  clipByGlobalNorm,
  globalNorm,
  type Optimizer,
  type OptimizerOptions,
  type Schedule,
} from "./ops/optim/optimizer.ts";
export {
  warmupConstant,
  warmupCosine,
  type WarmupCosineOptions,
  warmupLinear,
} from "./ops/optim/schedules.ts";
export { sgd, type SgdOptions } from "./ops/optim/sgd.ts";
export { trainStep, type TrainStepOptions } from "./ops/optim/train_step.ts";

// Looking into it.
export { printGraph } from "./compiler/graph/print.ts";
export { explain, type Explanation } from "./compiler/explain/explain.ts";
export { printExplanations } from "./compiler/explain/print.ts";
export { printCover } from "./compiler/fuse/print.ts";
export { printProgram } from "./compiler/program/print.ts";

// Measuring it.
export { type KernelWork, workOfKernel } from "./compiler/kernel/work.ts";
export { chromeTrace } from "./runtime/lab/chrome_trace.ts";
export { type CostRecord, costRecords } from "./runtime/lab/cost_record.ts";
export { type CostFit, fitCostModel } from "./runtime/lab/fit_cost_model.ts";
export { measurePeaks, type Peaks } from "./runtime/lab/peaks.ts";
export { printProgramProfile } from "./runtime/lab/print_profile.ts";
export {
  type KernelProfile,
  profileModel,
  type ProfileModelOptions,
  type ProfileOptions,
  profileProgram,
  type ProgramProfile,
} from "./runtime/lab/profile_program.ts";
export { readRecords } from "./runtime/lab/read_records.ts";

// Running it: devices, executables, checkpoints.
export { policies } from "./compiler/compile.ts";
export {
  expandComposites,
  type GraphPass,
  type Pass,
  passes,
  rewritePass,
  withoutPasses,
} from "./compiler/passes.ts";
export { op as term } from "./compiler/simplify/pattern.ts";
export type { Rule } from "./compiler/simplify/rules.ts";
export { Candidates, type Part } from "./compiler/fuse/candidates.ts";
export { IrBuilder } from "./compiler/kernel/build.ts";
export { Evaluator } from "./compiler/kernel/lower.ts";
export { isContiguous } from "./compiler/kernel/stride.ts";
export { walk as walkValues } from "./compiler/kernel/value.ts";
export type { KernelSchedule } from "./compiler/schedule/own.ts";
export type { FusionOptions, FusionPolicy } from "./compiler/fuse/policy.ts";
export type { CostModel } from "./compiler/fuse/worthwhile.ts";
export type { GroupWork } from "./compiler/fuse/group_work.ts";
export { type Inspection, PrintingTrace, TimingTrace, type Trace } from "./compiler/trace.ts";
export {
  compile,
  type CompileModelOptions,
  type ModelExecutable,
  type OpenExecutable,
  type SizesFor,
} from "./runtime/compile.ts";
export { type Device, type DeviceOptions, openDevice } from "./runtime/device.ts";
export type { DeviceTensor } from "./runtime/device_tensor.ts";
export { type Executable, load, type LoadProgramOptions } from "./runtime/executable.ts";
export type { Feed, Feeds } from "./runtime/feeds.ts";
export { printProfile, type ProfileRow } from "./runtime/profile.ts";
export type { Results } from "./runtime/results.ts";
export { type HostTensor, SafetensorsReader, writeSafetensors } from "./runtime/safetensors.ts";
export type { TuneOptions, TuneProgress } from "./runtime/tune/tune.ts";
export type { InitialState, LoadOptions, State } from "./runtime/state.ts";

// Comparing plans: what a pass, a policy, a rule, a schedule is worth.
export {
  comparePlans,
  type ComparePlansOptions,
  type PlanComparison,
  type PlanRow,
  type Variant,
} from "./runtime/lab/compare_plans.ts";
export { ablate, type AblateOptions, type Ablation } from "./runtime/lab/ablate.ts";
export { printPlans } from "./runtime/lab/print_plans.ts";

// Fixing what was decided: plans that are made again, hash for hash.
export type { PlanLock } from "./compiler/lock/lock.ts";
export { lockOf, type LockOptions } from "./compiler/lock/make.ts";
export { readLock } from "./runtime/lock/read.ts";
export { type Replay, replay } from "./runtime/lock/replay.ts";
export { writeLock } from "./runtime/lock/write.ts";

// The lab: what is wrong, and the smallest program that shows it.
export {
  bisect,
  type Bisection,
  type BisectOptions,
  type Finding,
  type Reproduction,
} from "./runtime/lab/bisect.ts";
export { verifyModel, type VerifyOptions } from "./runtime/lab/verify_model.ts";
export type { Agreement } from "./runtime/verify.ts";
export { fuzz, type FuzzFailure, type FuzzOptions, type FuzzReport } from "./runtime/lab/fuzz.ts";

// Shipping it: standalone bundles.
export { buildBundle, type BuiltBundle, type BundleOptions } from "./runtime/bundle/build.ts";
export { writeBundle } from "./runtime/bundle/write.ts";
