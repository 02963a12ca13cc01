#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "attention_parts.h"
#include "attention_row.h"

namespace panatune::attention {
namespace {

// Up to so many query rows read the keys and values in place, without a widened copy of them.
constexpr int64_t kFewRows = 4;

// A block of query rows of one head: its scores, their softmax, their sum over the values.
template <class T>
struct Block {
  const T* query;
  int64_t query_row;
  const float* keys;  // [D, keys_row]
  int64_t keys_row;
  const float* values;  // [S, padded D]
  T* out;
  int64_t out_row;
  float* lse;
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
    const int64_t keys_row = block.keys_row;
    const int64_t padded_depth = tile::padded(block.depth);
    const int64_t seen = block.first_visible + block.rows - 1;
    const int64_t padded_seen = tile::padded(seen);
    float* scores = memory;
    float* left = scores + kRows * keys_row;
    float* sums = left + kRows * padded_depth;
    float totals[kRows];
    for (int64_t r = 0; r < block.rows; ++r) {
      scale_row<W>(left + r * padded_depth, block.query + r * block.query_row, block.depth, block.scale);
    }
    tile::multiply<W>(block.rows, padded_seen, block.depth, {left, padded_depth, 1}, block.keys, keys_row, scores,
                      keys_row, false);
    for (int64_t r = 0; r < block.rows; ++r) {
      const int64_t first = block.first_keys == nullptr ? 0 : block.first_keys[r] - block.base;
      const int64_t end = block.first_visible + r;
      float* row = scores + r * keys_row;
      std::memset(row, 0, sizeof(float) * first);
      if (block.soft_cap != 0) {
        cap<W>(row + first, end - first, block.soft_cap);
      }
      // Rows of scores have room for a vector more (key_row).
      totals[r] = soften<W>(row + first, end - first, padded_seen - first, block.lse + r);
    }
    tile::multiply<W>(block.rows, padded_depth, seen, {scores, keys_row, 1}, block.values, padded_depth, sums,
                      padded_depth, false);
    for (int64_t r = 0; r < block.rows; ++r) {
      scale_row<W>(block.out + r * block.out_row, sums + r * padded_depth, block.depth, 1.0f / totals[r]);
    }
  }

  template <int W>
  PANATUNE_INLINE static void cap(float* scores, int64_t count, float soft_cap) {
    for (int64_t i = 0; i < count; i += W) {
      simd::store<W>(scores + i, capped<W>(simd::load<W>(scores + i, count - i), soft_cap), count - i);
    }
  }

  static int64_t floats(int64_t keys_row, int64_t depth) { return kRows * (keys_row + 2 * tile::padded(depth)); }
};

template <class T>
void in_blocks(const Sizes& sizes, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
               const at::Tensor& out, const at::Tensor& lse, const Rule& rule) {
  const FirstKeys first_keys(rule, sizes);
  const at::Tensor keys = widened_transposed(key);
  const at::Tensor values = widened(value);
  const Rows<const T> q(query);
  const Rows<T> o(out);
  const Rows<const float> k(keys), v(values);
  float* const sums = lse.mutable_data_ptr<float>();
  const int64_t blocks = (sizes.rows + kRows - 1) / kRows;
  at::parallel_for(0, sizes.batch * sizes.heads * blocks, 1, [&](int64_t begin, int64_t end) {
    float* memory = scratch(Block<T>::floats(k.row, sizes.depth));
    for (int64_t item = begin; item < end; ++item) {
      const int64_t head = item / blocks % sizes.heads, b = item / blocks / sizes.heads;
      const int64_t row = item % blocks * kRows, kv = sizes.kv_head(head);
      const int64_t* first = first_keys.of(b, row);
      const int64_t base = FirstKeys::base(first);
      const Block<T> block{.query = q.at(b, head, row),
                           .query_row = q.row,
                           .keys = k.at(b, kv, 0) + base,
                           .keys_row = k.row,
                           .values = v.at(b, kv, base),
                           .out = o.at(b, head, row),
                           .out_row = o.row,
                           .lse = sums + (b * sizes.heads + head) * sizes.rows + row,
                           .rows = std::min(kRows, sizes.rows - row),
                           .base = base,
                           .first_keys = first,
                           .first_visible = sizes.visible(row) - base,
                           .depth = sizes.depth,
                           .scale = static_cast<float>(rule.scale),
                           .soft_cap = static_cast<float>(rule.soft_cap)};
      simd::dispatch<Block<T>>(block, memory);
    }
  });
}

template <class T>
void row_by_row(const Sizes& sizes, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                const at::Tensor& out, const at::Tensor& lse, const Rule& rule) {
  const Rows<const T> q(query), k(key), v(value);
  const Rows<T> o(out);
  float* const sums = lse.mutable_data_ptr<float>();
  const int64_t grain = std::max<int64_t>(1, 32768 / (sizes.keys * sizes.depth));
  at::parallel_for(0, sizes.batch * sizes.heads * sizes.rows, grain, [&](int64_t begin, int64_t end) {
    float* memory = scratch(SingleRow<T, T>::floats(sizes.keys, sizes.depth));
    for (int64_t item = begin; item < end; ++item) {
      const int64_t head = item / sizes.rows % sizes.heads, b = item / sizes.rows / sizes.heads;
      const int64_t row = item % sizes.rows, kv = sizes.kv_head(head);
      const SingleRow<T, T> task{.query = q.at(b, head, row),
                                 .keys = k.at(b, kv, 0),
                                 .keys_row = k.row,
                                 .values = v.at(b, kv, 0),
                                 .values_row = v.row,
                                 .out = o.at(b, head, row),
                                 .lse = sums + item,
                                 .visible = sizes.visible(row),
                                 .depth = sizes.depth,
                                 .scale = static_cast<float>(rule.scale)};
      simd::dispatch<SingleRow<T, T>>(task, memory);
    }
  });
}

}  // namespace

FirstKeys::FirstKeys(const Rule& rule, const Sizes& sizes) : length_(sizes.rows) {
  if (!rule.first_keys.defined() && rule.window == 0) {
    return;
  }
  const at::Tensor stated = rule.first_keys.defined() ? rule.first_keys.contiguous() : at::Tensor();
  batches_ = stated.defined() ? stated.size(0) : 1;
  const int64_t* from = stated.defined() ? stated.const_data_ptr<int64_t>() : nullptr;
  rows_.resize(batches_ * length_);
  for (int64_t i = 0; i < batches_ * length_; ++i) {
    const int64_t seen = sizes.visible(i % length_);
    const int64_t within = rule.window == 0 ? 0 : std::max<int64_t>(0, seen - rule.window);
    rows_[i] = from == nullptr ? within : std::max(within, from[i]);
  }
}

std::tuple<at::Tensor, at::Tensor> forward(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                           const Rule& rule) {
  const Sizes sizes(query, key);
  const at::Tensor out = empty_joinable(query);
  const at::Tensor lse = at::empty({sizes.batch, sizes.heads, sizes.rows}, query.options().dtype(at::kFloat));
  if (out.numel() > 0) {
    const at::Tensor q = dense_rows(query), k = dense_rows(key), v = dense_rows(value);
    simd::with_type(query.scalar_type(), "panatune::causal_attention", [&](auto zero) {
      const bool few = sizes.rows <= kFewRows && rule.plain();
      const auto run = few ? row_by_row<decltype(zero)> : in_blocks<decltype(zero)>;
      run(sizes, q, k, v, out, lse, rule);
    });
  }
  return {out, lse};
}

}  // namespace panatune::attention
