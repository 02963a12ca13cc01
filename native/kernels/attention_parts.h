// What the forward and backward passes of causal_attention share.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <tuple>
#include <vector>

#include "heads.h"
#include "tile.h"

namespace panatune::attention {

// Query rows that go through the products together: eight tiles, and little work above the diagonal.
constexpr int64_t kRows = 48;

// The sizes of a call.
struct Sizes {
  int64_t batch, heads, kv_heads, rows, keys, depth;

  Sizes(const at::Tensor& query, const at::Tensor& key)
      : batch(query.size(0)),
        heads(query.size(1)),
        kv_heads(key.size(1)),
        rows(query.size(2)),
        keys(key.size(2)),
        depth(query.size(3)) {}

  int64_t kv_head(int64_t head) const { return head / (heads / kv_heads); }
  // Keys that query row `row` sees.
  int64_t visible(int64_t row) const { return keys - rows + row + 1; }
};

// [B, H, S, D] as fp32 [B, H, S, padded D], the padding zero: the right side of a product over keys.
inline at::Tensor widened(const at::Tensor& tensor) {
  at::Tensor wide = at::zeros({tensor.size(0), tensor.size(1), tensor.size(2), tile::padded(tensor.size(3))},
                              tensor.options().dtype(at::kFloat));
  wide.narrow(3, 0, tensor.size(3)).copy_(tensor);
  return wide;
}

// The length of a row of keys in scratch: 16 more than needed, or rows of 2 KB would share a cache set.
inline int64_t key_row(int64_t keys) { return tile::padded(keys) + 16; }

// [B, H, S, D] as fp32 [B, H, D, key_row(S)]: the right side of a product over the depth.
inline at::Tensor widened_transposed(const at::Tensor& tensor) {
  at::Tensor wide = at::zeros({tensor.size(0), tensor.size(1), tensor.size(3), key_row(tensor.size(2))},
                              tensor.options().dtype(at::kFloat));
  wide.narrow(3, 0, tensor.size(2)).copy_(tensor.transpose(2, 3));
  return wide;
}

// to[0, count) = from[0, count) * factor, through fp32.
template <int W, class To, class From>
PANATUNE_INLINE void scale_row(To* to, const From* from, int64_t count, float factor) {
  for (int64_t i = 0; i < count; i += W) {
    simd::store<W>(to + i, simd::load<W>(from + i, count - i) * factor, count - i);
  }
}

// A thread's own memory for blocks, kept between calls.
inline float* scratch(int64_t floats) {
  static thread_local std::vector<float> memory;
  if (static_cast<int64_t>(memory.size()) < floats) {
    memory.resize(floats);
  }
  return memory.data();
}

// What a score is made of a product, and which keys a query row sees.
struct Rule {
  double scale;
  at::Tensor first_keys;  // int64 [B or 1, T], or undefined
  int64_t window;         // 0 for none
  double soft_cap;        // 0 for none

  bool plain() const { return !first_keys.defined() && window == 0 && soft_cap == 0; }
};

// The first key that each query row sees; all see the first where neither texts nor a window bound it.
class FirstKeys {
 public:
  FirstKeys(const Rule& rule, const Sizes& sizes);

  // Of the rows of a batch from `row` on; null where all see the first key.
  const int64_t* of(int64_t batch, int64_t row) const {
    return rows_.empty() ? nullptr : rows_.data() + batch % batches_ * length_ + row;
  }

  // The first key of a block of such rows, down to where the kernels' rows of keys can begin.
  static int64_t base(const int64_t* first) { return first == nullptr ? 0 : *first / tile::kColumns * tile::kColumns; }

 private:
  int64_t batches_ = 1, length_ = 0;
  std::vector<int64_t> rows_;
};

// cap tanh(score / cap); as it is where cap is 0.
template <int W>
PANATUNE_INLINE simd::F32<W> capped(const simd::F32<W>& score, float cap) {
  return cap == 0 ? score : simd::tanh<W>(score / cap) * cap;
}

// All tensors as causal_attention takes them; the dtype is one for which fused_kernels() holds.

// The output, and the logarithm of each row's sum of exponentials [B, Hq, T] in fp32.
std::tuple<at::Tensor, at::Tensor> forward(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                           const Rule& rule);

// The gradients of query, key and value.
std::tuple<at::Tensor, at::Tensor, at::Tensor> backward(const at::Tensor& query, const at::Tensor& key,
                                                        const at::Tensor& value, const at::Tensor& lse,
                                                        const at::Tensor& gradient, const Rule& rule);

}  // namespace panatune::attention
