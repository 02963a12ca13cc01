// panatune::decode_block(Tensor hidden, Tensor[] tensors, int[] layout, Tensor(a!) keys, Tensor(b!) values,
//                        int position, Tensor? cos, Tensor? sin, float scale, int window, float eps, bool one_plus,
//                        str activation) -> Tensor
//
// One decoder layer for one token, without gradients: hidden [1, 1, H] to the same shape and dtype. RMSNorm, query, key
// and value, their norms by head, rotation, attention over the cache, output, residual, RMSNorm, gated MLP, residual.
//
// `layout` says what lies in `tensors`: six flags, which of these norms there are (input, query, key, attention output,
// MLP input, MLP output: a weight each), then four numbers for each of the linear layers q, k, v, o, gate, up, down:
// the sum of kQuantized, kNested and kBias, rows, cols and the blocksize (0 where it is dense). A dense layer is its
// weight [rows, cols]; a quantised one its codes, scales, where kNested says so the scales' own table, scale and
// offset, and its table of codes (linear4bit.h); the bias comes last.
//
// keys and values [1, Hkv, C, D] hold the positions before `position`, where this token's are written; the last
// `window` of them are seen, itself among them (0: all). cos and sin [1, R / 2] turn the first R elements of a head
// (none: nothing is turned). activation is "silu" or "gelu_tanh".
//
// On the CPU the layer is one parallel region, everything between the weights and the cache is fp32, and the result is
// rounded once. Composite: the parts' own operators, one after another.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace panatune::decode {

constexpr int64_t kQuantized = 1, kNested = 2, kBias = 4;

struct LinearPart {
  // The weight alone; or codes, scales, the scales' table, scale and offset, and the table of codes.
  std::vector<std::optional<at::Tensor>> weight;
  std::optional<at::Tensor> bias;
  int64_t rows, cols, blocksize;

  bool quantized() const { return blocksize != 0; }
};

struct Arguments {
  at::Tensor hidden;
  at::Tensor input_norm, query_norm, key_norm, attention_output_norm, mlp_norm, mlp_output_norm;  // or undefined
  LinearPart query, key, value, output, gate, up, down;
  at::Tensor keys, values;
  int64_t position;
  std::optional<at::Tensor> cos, sin;
  double scale;
  int64_t window;
  double epsilon;
  bool one_plus, silu;

  int64_t kv_heads() const { return keys.size(1); }
  int64_t depth() const { return keys.size(3); }
  int64_t heads() const { return query.rows / depth(); }
  int64_t first_seen() const { return window > 0 && position + 1 > window ? position + 1 - window : 0; }
};

at::Tensor fused(const Arguments& block);
at::Tensor composite(const Arguments& block);

}  // namespace panatune::decode
