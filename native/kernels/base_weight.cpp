#include "base_weight.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <optional>

#include "quant8.h"
#include "simd.h"

namespace panatune {
namespace {

constexpr int64_t kGrainElements = 32768;

std::optional<at::Tensor> optional(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

struct Widen {
  template <int W, class T>
  PANATUNE_INLINE static void run(const T* from, int64_t count, float* to) {
    for (int64_t i = 0; i < count; i += W) {
      simd::store<W>(to + i, simd::load<W>(from + i, count - i), count - i);
    }
  }
};

}  // namespace

BaseWeight::BaseWeight(const at::Tensor& weight) : weight_(weight) {}

BaseWeight::BaseWeight(at::TensorList parts, int64_t rows, int64_t cols, int64_t blocksize, at::ScalarType compute) {
  Decoded decoded;
  decoded.packed = parts[0].contiguous();
  decoded.scales = expand_absmax(parts[1], optional(parts[2]), optional(parts[3]), optional(parts[4])).contiguous();
  decoded.table = parts[5].contiguous();
  decoded.cols = cols;
  decoded.compute = compute;
  decoded.source = view_4bit(decoded.packed, decoded.scales, decoded.table, blocksize, rows * cols);
  weight_ = std::move(decoded);
}

at::Tensor BaseWeight::dense() const {
  const at::Tensor* weight = std::get_if<at::Tensor>(&weight_);
  return weight == nullptr ? at::Tensor() : *weight;
}

void BaseWeight::read(int64_t row, int64_t column, const at::Tensor& out) const {
  const int64_t rows = out.size(0), columns = out.size(1);
  if (const at::Tensor* weight = std::get_if<at::Tensor>(&weight_)) {
    out.copy_(weight->narrow(0, row, rows).narrow(1, column, columns));
    return;
  }
  const Decoded& decoded = std::get<Decoded>(weight_);
  TORCH_INTERNAL_ASSERT(columns <= 1 || out.stride(1) == 1);
  const int64_t stride = out.stride(0), grain = std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, columns));
  const auto decode = [&](auto* values) {
    at::parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        decode_4bit(decoded.source, (row + r) * decoded.cols + column, columns, decoded.compute, values + r * stride);
      }
    });
  };
  switch (out.scalar_type()) {
    case at::kFloat:
      return decode(out.mutable_data_ptr<float>());
    case at::kBFloat16:
      return decode(out.mutable_data_ptr<c10::BFloat16>());
    case at::kHalf:
      return decode(out.mutable_data_ptr<c10::Half>());
    default:
      TORCH_INTERNAL_ASSERT(false, "a 4-bit weight is not decoded to ", out.scalar_type());
  }
}

RowReader BaseWeight::rows() const {
  if (const Decoded* decoded = std::get_if<Decoded>(&weight_)) {
    return [decoded = *decoded](int64_t row, int64_t column, int64_t count, float* out) {
      decode_4bit(decoded.source, row * decoded.cols + column, count, decoded.compute, out);
    };
  }
  const at::Tensor& dense = std::get<at::Tensor>(weight_);
  const at::Tensor weight = dense.stride(1) == 1 ? dense : dense.contiguous();
  RowReader reader;
  simd::with_type(weight.scalar_type(), "panatune::BaseWeight", [&](auto type) {
    using T = decltype(type);
    const T* const values = weight.const_data_ptr<T>();
    reader = [weight, values, stride = weight.stride(0)](int64_t row, int64_t column, int64_t count, float* out) {
      simd::dispatch<Widen>(values + row * stride + column, count, out);
    };
  });
  return reader;
}

}  // namespace panatune
