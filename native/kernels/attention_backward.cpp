#include <ATen/Parallel.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "attention_parts.h"

namespace panatune::attention {
namespace {

// A block of query rows of one head: its rows of the query's gradient, and what it adds to the keys' and values'.
template <class T>
struct Block {
  const T* query;
  int64_t query_row;
  const T* gradient;
  int64_t gradient_row;
  const float* lse;
  const float* keys;               // [S, padded D]
  const float* keys_transposed;    // [D, keys_row]
  const float* values_transposed;  // [D, keys_row]
  int64_t keys_row;
  T* for_query;
  int64_t for_query_row;
  float* for_keys;    // [S, padded D]
  float* for_values;  // [S, padded D]
  int64_t rows;
  // Keys are counted from `base` on, before which none of the rows sees any.
  int64_t base;
  const int64_t* first_keys;  // the first that each row sees, counted from 0; or null
  int64_t first_visible;      // one past the last that the first row sees
  int64_t depth;
  float scale;
  float soft_cap;

  template <int W>
  PANATUNE_INLINE static void run(const Block& block, float* memory) {
    const int64_t rows = block.rows, depth = block.depth, keys_row = block.keys_row;
    const int64_t padded_depth = tile::padded(depth);
    const int64_t seen = block.first_visible + rows - 1;
    const int64_t padded_seen = tile::padded(seen);
    float* weights = memory;
    float* changes = weights + kRows * keys_row;
    float* query = changes + kRows * keys_row;
    float* gradient = query + kRows * padded_depth;
    float* sums = gradient + kRows * padded_depth;
    float* slopes = sums + kRows * padded_depth;
    // Both are right sides of a product as well: their padding must be zero.
    std::memset(query, 0, sizeof(float) * 2 * kRows * padded_depth);
    for (int64_t r = 0; r < rows; ++r) {
      scale_row<W>(query + r * padded_depth, block.query + r * block.query_row, depth, 1.0f);
      scale_row<W>(gradient + r * padded_depth, block.gradient + r * block.gradient_row, depth, 1.0f);
    }
    tile::multiply<W>(rows, padded_seen, depth, {query, padded_depth, 1}, block.keys_transposed, keys_row, weights,
                      keys_row, false);
    tile::multiply<W>(rows, padded_seen, depth, {gradient, padded_depth, 1}, block.values_transposed, keys_row, changes,
                      keys_row, false);
    for (int64_t r = 0; r < rows; ++r) {
      differentiate_row<W>(block, r, weights + r * keys_row, changes + r * keys_row, slopes, padded_seen);
    }
    tile::multiply<W>(rows, padded_depth, seen, {changes, keys_row, 1}, block.keys, padded_depth, sums, padded_depth,
                      false);
    for (int64_t r = 0; r < rows; ++r) {
      scale_row<W>(block.for_query + r * block.for_query_row, sums + r * padded_depth, depth, 1.0f);
    }
    tile::multiply<W>(seen, padded_depth, rows, {changes, 1, keys_row}, query, padded_depth, block.for_keys,
                      padded_depth, true);
    tile::multiply<W>(seen, padded_depth, rows, {weights, 1, keys_row}, gradient, padded_depth, block.for_values,
                      padded_depth, true);
  }

  // Products of query and key become softmax weights, and the weights' gradients become the products'. Of those the
  // weights' mean is taken off: it is summed here, since the output's own product with its gradient, which it equals,
  // has the rounding of the output.
  template <int W>
  PANATUNE_INLINE static void differentiate_row(const Block& block, int64_t r, float* weights, float* changes,
                                                float* slopes, int64_t padded) {
    const simd::I32<W> lanes = simd::iota<W>();
    const int64_t first = block.first_keys == nullptr ? 0 : block.first_keys[r] - block.base;
    const int64_t end = block.first_visible + r;
    const float lse = block.lse[r], cap = block.soft_cap;
    simd::F32<W> sums = {};
    for (int64_t i = 0; i < padded; i += W) {
      const simd::F32<W> score = capped<W>(simd::load<W>(weights + i) * block.scale, cap);
      simd::F32<W> weight = simd::exp<W>(score - lse);
      weight = lanes < static_cast<int32_t>(end - i) ? weight : simd::F32<W>{};
      weight = lanes < static_cast<int32_t>(first - i) ? simd::F32<W>{} : weight;
      simd::store<W>(weights + i, weight);
      sums += weight * simd::load<W>(changes + i);
      if (cap != 0) {
        const simd::F32<W> share = score / cap;
        simd::store<W>(slopes + i, 1.0f - share * share);
      }
    }
    const float mean = simd::sum<W>(sums);
    for (int64_t i = 0; i < padded; i += W) {
      simd::F32<W> change = simd::load<W>(weights + i) * (simd::load<W>(changes + i) - mean) * block.scale;
      if (cap != 0) {
        change *= simd::load<W>(slopes + i);
      }
      simd::store<W>(changes + i, change);
    }
  }

  static int64_t floats(int64_t keys_row, int64_t depth) {
    return kRows * (2 * keys_row + 3 * tile::padded(depth)) + keys_row;
  }
};

// Sums the gradients of the query heads that share a key head.
at::Tensor joined(const at::Tensor& per_head, const Sizes& sizes, at::ScalarType dtype) {
  const int64_t group = sizes.heads / sizes.kv_heads;
  const at::Tensor groups =
      per_head.view({sizes.batch, sizes.kv_heads, group, sizes.keys, per_head.size(3)}).narrow(4, 0, sizes.depth);
  return (group == 1 ? groups.squeeze(2) : groups.sum(2)).to(dtype);
}

}  // namespace

std::tuple<at::Tensor, at::Tensor, at::Tensor> backward(const at::Tensor& query, const at::Tensor& key,
                                                        const at::Tensor& value, const at::Tensor& lse,
                                                        const at::Tensor& gradient, const Rule& rule) {
  const Sizes sizes(query, key);
  const FirstKeys first_keys(rule, sizes);
  const at::Tensor dense_query = dense_rows(query), dense_gradient = dense_rows(gradient);
  const at::Tensor keys = widened(key), keys_transposed = widened_transposed(key);
  const at::Tensor values_transposed = widened_transposed(value);
  const at::Tensor for_query = empty_joinable(query);
  const at::Tensor for_keys = at::zeros({sizes.batch, sizes.heads, sizes.keys, keys.size(3)}, keys.options());
  const at::Tensor for_values = at::zeros_like(for_keys);
  simd::with_type(query.scalar_type(), "panatune::causal_attention", [&](auto zero) {
    using T = decltype(zero);
    const Rows<const T> q(dense_query), above(dense_gradient);
    const Rows<T> dq(for_query);
    const Rows<const float> k(keys), kt(keys_transposed), vt(values_transposed);
    const Rows<float> dk(for_keys), dv(for_values);
    const float* const sums = lse.const_data_ptr<float>();
    // A head's blocks add to the same keys, one after the other: the same bits for any number of threads.
    at::parallel_for(0, sizes.batch * sizes.heads, 1, [&](int64_t begin, int64_t end) {
      float* memory = scratch(Block<T>::floats(kt.row, sizes.depth));
      for (int64_t item = begin; item < end; ++item) {
        const int64_t b = item / sizes.heads, head = item % sizes.heads, kv = sizes.kv_head(head);
        for (int64_t row = 0; row < sizes.rows; row += kRows) {
          const int64_t* first = first_keys.of(b, row);
          const int64_t base = FirstKeys::base(first);
          const Block<T> block{.query = q.at(b, head, row),
                               .query_row = q.row,
                               .gradient = above.at(b, head, row),
                               .gradient_row = above.row,
                               .lse = sums + item * sizes.rows + row,
                               .keys = k.at(b, kv, base),
                               .keys_transposed = kt.at(b, kv, 0) + base,
                               .values_transposed = vt.at(b, kv, 0) + base,
                               .keys_row = kt.row,
                               .for_query = dq.at(b, head, row),
                               .for_query_row = dq.row,
                               .for_keys = dk.at(b, head, base),
                               .for_values = dv.at(b, head, base),
                               .rows = std::min(kRows, sizes.rows - row),
                               .base = base,
                               .first_keys = first,
                               .first_visible = sizes.visible(row) - base,
                               .depth = sizes.depth,
                               .scale = static_cast<float>(rule.scale),
                               .soft_cap = static_cast<float>(rule.soft_cap)};
          simd::dispatch<Block<T>>(block, memory);
        }
      }
    });
  });
  return {for_query, joined(for_keys, sizes, key.scalar_type()), joined(for_values, sizes, value.scalar_type())};
}

}  // namespace panatune::attention
