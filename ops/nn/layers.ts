/**
 * Layers: functions that declare parameters when they are made and use them when they are called. The library exports
 * them as `nn`.
 */

export { type BatchNorm, batchNorm, type BatchNormOptions } from "./batch_norm.ts";
export {
  conv,
  type ConvLayer,
  type ConvLayerOptions,
  convTranspose,
  type ConvTransposeLayerOptions,
} from "./conv_layers.ts";
export { dropout } from "./dropout_layer.ts";
export { type Embedding, embedding, type EmbeddingOptions } from "./embedding_layer.ts";
export type { LayerOptions } from "./layer.ts";
export { type Linear, linear, type LinearOptions } from "./linear.ts";
export {
  type ChannelNorm,
  groupNorm,
  layerNorm,
  type NormLayer,
  type NormLayerOptions,
  rmsNorm,
} from "./norm_layers.ts";
export {
  type SelfAttention,
  selfAttention,
  type SelfAttentionCall,
  type SelfAttentionOptions,
} from "./self_attention.ts";
