// A decoder layer for one token in one parallel region.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <array>
#include <variant>

#include "attention_row.h"
#include "decode_block.h"
#include "few_rows.h"
#include "few_rows4.h"
#include "quant4.h"
#include "team.h"

namespace panatune::decode {
namespace {

// Weights that a thread takes at a time.
constexpr int64_t kChunkElements = 16384;

void widen(const at::Tensor& from, float* to) {
  simd::with_type(from.scalar_type(), "panatune::decode_block", [&](auto zero) {
    using T = decltype(zero);
    std::copy_n(from.const_data_ptr<T>(), from.numel(), to);
  });
}

// An input, in the order of the elements and in that of the codes.
struct Input {
  const float* plain;
  const float* ordered;
};

// A linear layer's weight as it is stored.
class Rows {
 public:
  explicit Rows(const LinearPart& part) : rows_(part.rows), cols_(part.cols) {
    if (!part.quantized()) {
      dense_ = part.weight[0]->stride(1) == 1 ? *part.weight[0] : part.weight[0]->contiguous();
    } else {
      const auto& weight = part.weight;
      if (Weight4::fits(part.cols, part.blocksize)) {
        packed_ = view_weight4(*weight[0], *weight[1], weight[2], weight[3], weight[4], *weight[5], rows_, cols_,
                               part.blocksize);
      } else {
        scales_ = expand_absmax(*weight[1], weight[2], weight[3], weight[4]);
        packed_ = view_4bit(*weight[0], scales_, *weight[5], part.blocksize, rows_ * cols_);
      }
    }
    if (part.bias) {
      bias_ = part.bias->to(at::kFloat);
    }
  }

  // Rows of a chunk: a multiple of what the loops take together.
  int64_t per_chunk() const { return std::max<int64_t>(8, kChunkElements / cols_ / 8 * 8); }
  int64_t chunks() const { return (rows_ + per_chunk() - 1) / per_chunk(); }
  int64_t first(int64_t chunk) const { return chunk * per_chunk(); }
  int64_t end(int64_t chunk) const { return std::min(rows_, first(chunk) + per_chunk()); }
  bool takes_ordered() const { return std::holds_alternative<Weight4>(packed_); }

  // out[n] for the rows n of a chunk.
  void multiply(const Input& input, int64_t chunk, float* out) const {
    const int64_t begin = first(chunk), stop = end(chunk);
    if (const Weight4* weight = std::get_if<Weight4>(&packed_)) {
      few_rows4(*weight, input.ordered, 1, out, rows_, begin, stop);
    } else if (const Packed4bit* source = std::get_if<Packed4bit>(&packed_)) {
      decode_rows(*source, input.plain, begin, stop, out);
    } else {
      simd::with_type(dense_.scalar_type(), "panatune::decode_block", [&](auto zero) {
        using T = decltype(zero);
        simd::dispatch<FewRows<T, 1>>(input.plain, dense_.const_data_ptr<T>(), dense_.stride(0), cols_, out, rows_,
                                      begin, stop);
      });
    }
    if (bias_.defined()) {
      const float* bias = bias_.const_data_ptr<float>();
      for (int64_t n = begin; n < stop; ++n) {
        out[n] += bias[n];
      }
    }
  }

 private:
  // Of a shape that Weight4 does not take.
  void decode_rows(const Packed4bit& source, const float* x, int64_t begin, int64_t stop, float* out) const {
    std::vector<float> decoded(cols_);
    for (int64_t n = begin; n < stop; ++n) {
      decode_4bit(source, n * cols_, cols_, at::kFloat, decoded.data());
      simd::dispatch<FewRows<float, 1>>(x, static_cast<const float*>(decoded.data()), cols_, cols_, out + n, rows_,
                                        int64_t{0}, int64_t{1});
    }
  }

  int64_t rows_, cols_;
  at::Tensor dense_, scales_, bias_;
  std::variant<std::monostate, Weight4, Packed4bit> packed_;
};

// to[i] = from[i] over the root of the mean square, times weight[i] or 1 + weight[i].
template <class T>
struct Normalise {
  template <int W>
  PANATUNE_INLINE static void run(const float* from, const T* weight, int64_t width, float epsilon, float plus,
                                  float* to) {
    simd::F32<W> sums = {};
    for (int64_t i = 0; i < width; i += W) {
      const simd::F32<W> x = simd::load<W>(from + i, width - i);
      sums += x * x;
    }
    const float scale = 1.0f / __builtin_sqrtf(simd::sum<W>(sums) / static_cast<float>(width) + epsilon);
    for (int64_t i = 0; i < width; i += W) {
      const simd::F32<W> factor = simd::load<W>(weight + i, width - i) + plus;
      simd::store<W>(to + i, simd::load<W>(from + i, width - i) * scale * factor, width - i);
    }
  }
};

// gate[i] = activation(gate[i]) * up[i]
struct Activate {
  template <int W>
  PANATUNE_INLINE static void run(float* gate, const float* up, int64_t begin, int64_t end, bool silu) {
    for (int64_t i = begin; i < end; i += W) {
      const simd::F32<W> x = simd::load<W>(gate + i, end - i);
      // gelu through tanh is x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))
      const simd::F32<W> power = silu ? x : 1.5957691216f * (x + 0.044715f * x * x * x);
      simd::store<W>(gate + i, x * simd::sigmoid<W>(power) * simd::load<W>(up + i, end - i), end - i);
    }
  }
};

// A layer's buffers and what the threads do with them.
class Block {
 public:
  explicit Block(const Arguments& arguments)
      : block_(arguments),
        width_(arguments.hidden.size(-1)),
        depth_(arguments.depth()),
        query_(arguments.query),
        key_(arguments.key),
        value_(arguments.value),
        output_(arguments.output),
        gate_(arguments.gate),
        up_(arguments.up),
        down_(arguments.down),
        team_(kPhases) {
    const int64_t q = arguments.query.rows, kv = arguments.key.rows, inner = arguments.gate.rows;
    memory_ = at::empty({3 * width_ + 2 * q + 2 * kv + 2 * inner}, at::TensorOptions(at::kFloat));
    float* at = memory_.mutable_data_ptr<float>();
    const auto take = [&at](int64_t count) { return std::exchange(at, at + count); };
    hidden_ = take(width_);
    attention_ = take(width_);
    mlp_ = take(width_);
    queries_ = take(q);
    attended_ = take(q);
    keys_ = take(kv);
    values_ = take(kv);
    gates_ = take(inner);
    ups_ = take(inner);
    widest_ = std::max({width_, q, inner});
    widen(arguments.hidden, hidden_);
    if (arguments.cos) {
      cos_ = arguments.cos->contiguous();
      sin_ = arguments.sin->contiguous();
    }
  }

  at::Tensor run() {
    const int64_t threads = at::get_num_threads();
    at::parallel_for(0, threads, 1, [&](int64_t, int64_t) { work(); });
    return finish();
  }

 private:
  static constexpr int kPhases = 6;

  // What every thread does; what is not shared it computes for itself, which is less than waiting for it.
  void work() {
    const int64_t seen = block_.position + 1 - block_.first_seen();
    std::vector<float> memory(4 * widest_ + attention::SingleRow<float, float>::floats(seen, depth_));
    float *row = memory.data(), *next = row + widest_, *ordered = next + widest_, *rest = ordered + widest_;

    project(input(normalised(block_.input_norm, hidden_, width_, row), width_, ordered,
                  query_.takes_ordered() || key_.takes_ordered() || value_.takes_ordered()));
    team_.share(1, block_.heads() + block_.kv_heads(), [&](int64_t head) { place(head); });
    team_.share(2, block_.heads(), [&](int64_t head) { attend(head, seen, rest); });
    const Input attended = input(attended_, block_.output.cols, ordered, output_.takes_ordered());
    team_.share(3, output_.chunks(), [&](int64_t i) { output_.multiply(attended, i, attention_); });

    between(row, next);
    const Input inner = input(normalised(block_.mlp_norm, row, width_, next), width_, ordered,
                              gate_.takes_ordered() || up_.takes_ordered());
    team_.share(4, gate_.chunks(), [&](int64_t i) {
      gate_.multiply(inner, i, gates_);
      up_.multiply(inner, i, ups_);
      simd::dispatch<Activate>(gates_, static_cast<const float*>(ups_), gate_.first(i), gate_.end(i), block_.silu);
    });
    const Input product = input(gates_, block_.down.cols, ordered, down_.takes_ordered());
    team_.share(5, down_.chunks(), [&](int64_t i) { down_.multiply(product, i, mlp_); });
  }

  Input input(const float* plain, int64_t width, float* ordered, bool wanted) const {
    if (wanted) {
      order_for_codes(plain, width, ordered);
    }
    return {plain, ordered};
  }

  const float* normalised(const at::Tensor& norm, const float* from, int64_t width, float* to) const {
    if (!norm.defined()) {
      return from;
    }
    simd::with_type(norm.scalar_type(), "panatune::decode_block", [&](auto zero) {
      using T = decltype(zero);
      simd::dispatch<Normalise<T>>(from, norm.const_data_ptr<T>(), width, static_cast<float>(block_.epsilon),
                                   block_.one_plus ? 1.0f : 0.0f, to);
    });
    return to;
  }

  void project(const Input& input) {
    const int64_t queries = query_.chunks(), keys = key_.chunks();
    team_.share(0, queries + keys + value_.chunks(), [&](int64_t i) {
      if (i < queries) {
        query_.multiply(input, i, queries_);
      } else if (i < queries + keys) {
        key_.multiply(input, i - queries, keys_);
      } else {
        value_.multiply(input, i - queries - keys, values_);
      }
    });
  }

  // Norm and rotation of a query head; of a key head, which goes to the cache with its values.
  void place(int64_t item) {
    const int64_t head = item - block_.heads();
    if (head < 0) {
      turn(block_.query_norm, queries_ + item * depth_);
      return;
    }
    turn(block_.key_norm, keys_ + head * depth_);
    simd::with_type(block_.keys.scalar_type(), "panatune::decode_block", [&](auto zero) {
      using T = decltype(zero);
      std::copy_n(keys_ + head * depth_, depth_, at<T>(block_.keys, head, block_.position));
      std::copy_n(values_ + head * depth_, depth_, at<T>(block_.values, head, block_.position));
    });
  }

  template <class T>
  static T* at(const at::Tensor& cache, int64_t head, int64_t position) {
    return static_cast<T*>(cache.data_ptr()) + head * cache.stride(1) + position * cache.stride(2);
  }

  void turn(const at::Tensor& norm, float* head) const {
    normalised(norm, head, depth_, head);
    if (!cos_.defined()) {
      return;
    }
    const int64_t half = cos_.numel();
    const float *cos = cos_.const_data_ptr<float>(), *sin = sin_.const_data_ptr<float>();
    for (int64_t i = 0; i < half; ++i) {
      const float first = head[i], second = head[half + i];
      head[i] = first * cos[i] - second * sin[i];
      head[half + i] = second * cos[i] + first * sin[i];
    }
  }

  void attend(int64_t head, int64_t seen, float* scratch) {
    const int64_t kv = head / (block_.heads() / block_.kv_heads()), first = block_.first_seen();
    float unused;
    simd::with_type(block_.keys.scalar_type(), "panatune::decode_block", [&](auto zero) {
      using T = decltype(zero);
      using Row = attention::SingleRow<float, T>;
      const Row row{.query = queries_ + head * depth_,
                    .keys = at<T>(block_.keys, kv, first),
                    .keys_row = block_.keys.stride(2),
                    .values = at<T>(block_.values, kv, first),
                    .values_row = block_.values.stride(2),
                    .out = attended_ + head * depth_,
                    .lse = &unused,
                    .visible = seen,
                    .depth = depth_,
                    .scale = static_cast<float>(block_.scale)};
      simd::dispatch<Row>(row, scratch);
    });
  }

  // to = the residual stream between attention and MLP.
  void between(float* to, float* scratch) const {
    const float* added = normalised(block_.attention_output_norm, attention_, width_, scratch);
    for (int64_t i = 0; i < width_; ++i) {
      to[i] = hidden_[i] + added[i];
    }
  }

  at::Tensor finish() {
    std::vector<float> memory(2 * width_);
    between(memory.data(), memory.data() + width_);
    const float* added = normalised(block_.mlp_output_norm, mlp_, width_, memory.data() + width_);
    at::Tensor out = at::empty_like(block_.hidden);
    simd::with_type(out.scalar_type(), "panatune::decode_block", [&](auto zero) {
      auto* to = out.mutable_data_ptr<decltype(zero)>();
      for (int64_t i = 0; i < width_; ++i) {
        to[i] = static_cast<decltype(zero)>(memory[i] + added[i]);
      }
    });
    return out;
  }

  const Arguments& block_;
  const int64_t width_, depth_;
  const Rows query_, key_, value_, output_, gate_, up_, down_;
  Team team_;
  at::Tensor memory_, cos_, sin_;
  int64_t widest_;
  float *hidden_, *attention_, *mlp_, *queries_, *attended_, *keys_, *values_, *gates_, *ups_;
};

}  // namespace

at::Tensor fused(const Arguments& block) { return Block(block).run(); }

}  // namespace panatune::decode
