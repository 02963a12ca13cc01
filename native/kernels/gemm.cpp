#include "gemm.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>

#include "base_weight.h"
#include "cpu.h"
#include "few_rows.h"
#include "row_product.h"
#include "simd.h"

namespace panatune {
namespace {

constexpr int64_t kSmallRows = 8;
// Elements of one fp32 panel of b: 4 MB, so that it is still in the cache when the GEMM packs it.
constexpr int64_t kPanelElements = 1 << 20;

template <class T, int ROWS>
void small_rows(const float* a, const T* weight, int64_t stride, int64_t depth, float* out, int64_t columns) {
  // Blocks of columns begin at the same places whatever the number of threads.
  const int64_t width = FewRows<T, ROWS>::kColumns;
  const int64_t grain = std::max<int64_t>(1, 32768 / (width * std::max<int64_t>(1, depth)));
  at::parallel_for(0, (columns + width - 1) / width, grain, [&](int64_t begin, int64_t end) {
    simd::dispatch<FewRows<T, ROWS>>(a, weight, stride, depth, out, columns, begin * width,
                                     std::min(end * width, columns));
  });
}

template <class T>
void small_rows(int64_t rows, const float* a, const T* weight, int64_t stride, int64_t depth, float* out,
                int64_t columns) {
  for (int64_t m = 0; m < rows;) {
    const float* from = a + m * depth;
    float* to = out + m * columns;
    if (rows - m >= 4) {
      small_rows<T, 4>(from, weight, stride, depth, to, columns);
      m += 4;
    } else if (rows - m >= 2) {
      small_rows<T, 2>(from, weight, stride, depth, to, columns);
      m += 2;
    } else {
      small_rows<T, 1>(from, weight, stride, depth, to, columns);
      m += 1;
    }
  }
}

// Both are of one type that libtorch multiplies fast here.
bool takes_native(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && fast_gemm(a.scalar_type());
}

bool half_precision(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kBFloat16 || tensor.scalar_type() == at::kHalf;
}

// b is a row-major half-precision weight, transposed.
bool is_weight(const at::Tensor& b) { return half_precision(b) && b.stride(0) == 1 && b.size(0) > 0; }

bool takes_small_rows(const at::Tensor& a, const at::Tensor& b) { return a.size(0) <= kSmallRows && is_weight(b); }

at::Tensor matmul_small_rows(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wide = a.to(at::kFloat).contiguous();
  at::Tensor out = at::empty({a.size(0), b.size(1)}, wide.options());
  AT_DISPATCH_REDUCED_FLOATING_TYPES(b.scalar_type(), "matmul_compute", [&] {
    small_rows<scalar_t>(a.size(0), wide.const_data_ptr<float>(), b.const_data_ptr<scalar_t>(), b.stride(1), a.size(1),
                         out.mutable_data_ptr<float>(), b.size(1));
  });
  return out;
}

// out [M, N] fp32 (+)= a b, widening a and b a panel at a time along their common side.
void multiply_deep(at::Tensor& out, const at::Tensor& a, const at::Tensor& b, bool accumulate) {
  const int64_t depth = b.size(0);
  const int64_t step =
      b.scalar_type() == at::kFloat ? depth : std::max<int64_t>(64, kPanelElements / std::max<int64_t>(1, b.size(1)));
  for (int64_t k = 0; k < depth || k == 0; k += step) {
    const int64_t length = std::min(step, depth - k);
    const at::Tensor left = a.narrow(1, k, length).to(at::kFloat);
    const at::Tensor panel = b.narrow(0, k, length).to(at::kFloat);
    accumulate || k > 0 ? out.addmm_(left, panel) : at::mm_out(out, left, panel);
  }
}

// out [M, N] (+)= a b, widening b and narrowing the result a panel of columns at a time.
void multiply_wide(at::Tensor& out, const at::Tensor& a, const at::Tensor& b, bool accumulate) {
  const at::Tensor left = a.to(at::kFloat);
  const int64_t columns = b.size(1);
  const int64_t step = std::max<int64_t>(64, kPanelElements / std::max<int64_t>(1, b.size(0)));
  at::Tensor scratch;
  if (out.scalar_type() != at::kFloat) {
    scratch = at::empty({a.size(0), std::min(step, columns)}, left.options());
  }
  for (int64_t n = 0; n < columns; n += step) {
    const int64_t width = std::min(step, columns - n);
    at::Tensor part = out.narrow(1, n, width);
    at::Tensor product = scratch.defined() ? scratch.narrow(1, 0, width) : part;
    const at::Tensor panel = b.narrow(1, n, width).to(at::kFloat);
    accumulate ? product.addmm_(left, panel) : at::mm_out(product, left, panel);
    if (scratch.defined()) {
      part.copy_(product);
    }
  }
}

void check_product(const at::Tensor& a, const at::Tensor& b) {
  TORCH_CHECK(a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(0), "panatune::matmul_compute: a ", a.sizes(),
              " and b ", b.sizes(), " are not [M, K] and [K, N]");
  TORCH_CHECK(a.is_floating_point() && b.is_floating_point(), "panatune::matmul_compute: a is ", a.scalar_type(),
              " and b is ", b.scalar_type(), ", but both must be floating point");
}

}  // namespace

at::Tensor matmul_compute(const at::Tensor& a, const at::Tensor& b, at::ScalarType result) {
  check_product(a, b);
  const bool plain = !a.is_cpu() || a.scalar_type() == at::kDouble || b.scalar_type() == at::kDouble;
  if (plain) {
    return at::mm(a.to(result), b.to(result));
  }
  if (takes_small_rows(a, b)) {
    return matmul_small_rows(a, b).to(result);
  }
  if (takes_native(a, b)) {
    return at::mm(a, b).to(result);
  }
  if (is_weight(b)) {
    return multiply_rows(a, b.size(1), BaseWeight(b.t()).rows(), at::Tensor(), result);
  }
  if (b.size(1) > b.size(0)) {
    at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options().dtype(result));
    multiply_wide(out, a, b, false);
    return out;
  }
  at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options().dtype(at::kFloat));
  multiply_deep(out, a, b, false);
  return out.to(result);
}

at::Tensor matmul_compute(const at::Tensor& a, const at::Tensor& b) { return matmul_compute(a, b, a.scalar_type()); }

at::Tensor matmul_compute(const at::Tensor& a, const at::Tensor& b, const std::optional<at::Tensor>& bias) {
  const at::ScalarType dtype = a.scalar_type();
  if (!bias) {
    return matmul_compute(a, b, dtype);
  }
  check_product(a, b);
  if (takes_native(a, b) && !takes_small_rows(a, b)) {
    return at::addmm(bias->to(dtype), a, b);
  }
  return matmul_compute(a, b, at::kFloat).add_(*bias).to(dtype);
}

void matmul_accumulate(at::Tensor& accumulator, const at::Tensor& a, const at::Tensor& b) {
  check_product(a, b);
  TORCH_CHECK(accumulator.scalar_type() == at::kFloat && accumulator.dim() == 2 && accumulator.size(0) == a.size(0) &&
                  accumulator.size(1) == b.size(1),
              "panatune::matmul_accumulate: the accumulator is ", accumulator.scalar_type(), " ", accumulator.sizes(),
              ", but must be float [", a.size(0), ", ", b.size(1), "]");
  if (a.is_cpu() && !takes_native(a, b)) {
    b.size(1) > b.size(0) ? multiply_wide(accumulator, a, b, true) : multiply_deep(accumulator, a, b, true);
  } else {
    accumulator.add_(at::mm(a, b));
  }
}

}  // namespace panatune
