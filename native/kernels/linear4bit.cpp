#include "linear4bit.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>

#include "autograd.h"
#include "cpu.h"
#include "few_rows4.h"
#include "gemm.h"
#include "quant4.h"
#include "quant8.h"
#include "row_product.h"
#include "simd.h"

namespace panatune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<at::Tensor>;

constexpr int64_t kSmallRows = 8;
constexpr int64_t kChunk = 2048;
constexpr int64_t kGrainElements = 32768;

void check_shapes(const at::Tensor& input, const OptionalTensor& bias, int64_t rows, int64_t cols) {
  TORCH_CHECK(input.dim() >= 1 && input.size(-1) == cols && input.is_floating_point(), "panatune::linear_4bit: input ",
              input.scalar_type(), " ", input.sizes(), " is not floating point [..., ", cols, "] as the weight [", rows,
              ", ", cols, "] needs");
  TORCH_CHECK(!bias || (bias->dim() == 1 && bias->size(0) == rows), "panatune::linear_4bit: bias ",
              bias ? bias->sizes() : at::IntArrayRef{}, " is not [", rows, "] as the weight [", rows, ", ", cols,
              "] needs");
}

at::Tensor as_matrix(const at::Tensor& tensor) { return tensor.reshape({-1, tensor.size(-1)}); }

at::Tensor with_last(const at::Tensor& flat, const at::Tensor& like, int64_t last) {
  std::vector<int64_t> shape = like.sizes().vec();
  shape.back() = last;
  return flat.view(shape);
}

// The weight on the CPU: a view of its parts, and the parts themselves.
struct CpuWeight {
  at::Tensor packed;
  at::Tensor scales;
  at::Tensor table;
  int64_t rows;
  int64_t cols;
  at::ScalarType compute;
  Packed4bit source;

  CpuWeight(const at::Tensor& packed_, const at::Tensor& scales_, const at::Tensor& code, int64_t rows_, int64_t cols_,
            int64_t blocksize, at::ScalarType compute_)
      : packed(packed_.contiguous()),
        scales(scales_.contiguous()),
        table(code.contiguous()),
        rows(rows_),
        cols(cols_),
        compute(compute_),
        source(view_4bit(packed, scales, table, blocksize, rows * cols)) {}

  // [rows, cols] in the type whose GEMM is fast here.
  at::Tensor dense() const {
    at::Tensor weight = at::empty({rows, cols}, scales.options().dtype(fast_gemm(compute) ? compute : at::kFloat));
    decode_4bit(source, compute, weight);
    return weight;
  }

  // x [M, cols] times the transposed weight, plus the bias: rounded once to the compute type.
  at::Tensor multiply(const at::Tensor& x, const OptionalTensor& bias) const {
    if (compute != at::kFloat && fast_gemm(compute)) {
      return matmul_compute(x, dense().t(), bias);
    }
    const auto read = [this](int64_t row, int64_t column, int64_t count, float* out) {
      decode_4bit(source, row * cols + column, count, compute, out);
    };
    return multiply_rows(x, rows, read, bias.value_or(at::Tensor()), compute);
  }
};

struct Dot {
  static constexpr int kSums = 4;

  // sums[m] += decoded . x[m] over `n` elements.
  template <int W>
  PANATUNE_INLINE static void run(const float* decoded, const float* x, int64_t stride, int64_t rows, int64_t n,
                                  float* sums) {
    for (int64_t m = 0; m < rows; ++m, x += stride) {
      simd::F32<W> partial[kSums] = {};
      int64_t k = 0;
      for (; k + kSums * W <= n; k += kSums * W) {
        for (int j = 0; j < kSums; ++j) {
          partial[j] += simd::load<W>(decoded + k + j * W) * simd::load<W>(x + k + j * W);
        }
      }
      for (; k < n; k += W) {
        const int64_t left = std::min<int64_t>(W, n - k);
        partial[0] += simd::load<W>(decoded + k, left) * simd::load<W>(x + k, left);
      }
      sums[m] += simd::sum<W>((partial[0] + partial[1]) + (partial[2] + partial[3]));
    }
  }
};

// x [M, cols] fp32, M few, against codes of which rows are whole blocks, in place: to fp32 [M, rows].
at::Tensor multiply_blocks(const at::Tensor& x, const Weight4& weight, int64_t rows) {
  const int64_t count = x.size(0), cols = weight.cols;
  const at::Tensor ordered = at::empty_like(x);
  at::Tensor out = at::empty({count, rows}, x.options());
  float* const input = ordered.mutable_data_ptr<float>();
  float* const results = out.mutable_data_ptr<float>();
  for (int64_t m = 0; m < count; ++m) {
    order_for_codes(x.const_data_ptr<float>() + m * cols, cols, input + m * cols);
  }
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrainElements / cols),
                   [&](int64_t begin, int64_t end) { few_rows4(weight, input, count, results, rows, begin, end); });
  return out;
}

// The same of any shape: wide [M, cols] fp32.
at::Tensor multiply_in_place(const at::Tensor& wide, const CpuWeight& weight) {
  const int64_t count = wide.size(0);
  at::Tensor out = at::empty({count, weight.rows}, wide.options());
  const float* values = wide.const_data_ptr<float>();
  float* results = out.mutable_data_ptr<float>();
  const int64_t grain = std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, weight.cols));
  at::parallel_for(0, weight.rows, grain, [&](int64_t begin, int64_t end) {
    alignas(64) float decoded[kChunk];
    for (int64_t row = begin; row < end; ++row) {
      float sums[kSmallRows] = {};
      for (int64_t k = 0; k < weight.cols; k += kChunk) {
        const int64_t n = std::min(kChunk, weight.cols - k);
        decode_4bit(weight.source, row * weight.cols + k, n, at::kFloat, decoded);
        simd::dispatch<Dot>(decoded, values + k, weight.cols, count, n, sums);
      }
      for (int64_t m = 0; m < count; ++m) {
        results[m * weight.rows + row] = sums[m];
      }
    }
  });
  return out;
}

at::Tensor forward_composite(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& absmax,
                             const OptionalTensor& nested_code, const OptionalTensor& nested_absmax,
                             const OptionalTensor& nested_offset, const at::Tensor& code, const OptionalTensor& bias,
                             int64_t rows, int64_t cols, int64_t blocksize, at::ScalarType compute) {
  check_shapes(input, bias, rows, cols);
  const at::Tensor scales = expand_absmax(absmax, nested_code, nested_absmax, nested_offset);
  const at::Tensor weight = dequantize_4bit(packed, scales, code, blocksize, {rows, cols}, compute);
  return at::linear(input.to(compute), weight, bias ? OptionalTensor(bias->to(compute)) : bias).to(input.scalar_type());
}

at::Tensor forward(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& absmax,
                   const OptionalTensor& nested_code, const OptionalTensor& nested_absmax,
                   const OptionalTensor& nested_offset, const at::Tensor& code, const OptionalTensor& bias,
                   int64_t rows, int64_t cols, int64_t blocksize, at::ScalarType compute) {
  if (!fused_kernels(compute)) {
    return forward_composite(input, packed, absmax, nested_code, nested_absmax, nested_offset, code, bias, rows, cols,
                             blocksize, compute);
  }
  check_shapes(input, bias, rows, cols);
  const at::Tensor x = as_matrix(input).to(compute);
  at::Tensor product;
  if (x.size(0) <= kSmallRows && Weight4::fits(cols, blocksize)) {
    const at::Tensor codes = packed.contiguous(), scales = absmax.contiguous();
    const Weight4 weight =
        view_weight4(codes, scales, nested_code, nested_absmax, nested_offset, code, rows, cols, blocksize);
    product = multiply_blocks(x.to(at::kFloat).contiguous(), weight, rows);
  } else {
    const at::Tensor scales = expand_absmax(absmax, nested_code, nested_absmax, nested_offset);
    const CpuWeight weight(packed, scales, code, rows, cols, blocksize, compute);
    if (x.size(0) > kSmallRows) {
      return with_last(weight.multiply(x, bias).to(input.scalar_type()), input, rows);
    }
    product = multiply_in_place(x.to(at::kFloat).contiguous(), weight);
  }
  if (bias) {
    product.add_(*bias);
  }
  return with_last(product.to(compute).to(input.scalar_type()), input, rows);
}

at::Tensor backward_composite(const at::Tensor& gradient, const at::Tensor& packed, const at::Tensor& absmax,
                              const OptionalTensor& nested_code, const OptionalTensor& nested_absmax,
                              const OptionalTensor& nested_offset, const at::Tensor& code, int64_t rows, int64_t cols,
                              int64_t blocksize, at::ScalarType compute) {
  const at::Tensor scales = expand_absmax(absmax, nested_code, nested_absmax, nested_offset);
  const at::Tensor weight = dequantize_4bit(packed, scales, code, blocksize, {rows, cols}, compute);
  return at::matmul(gradient.to(compute), weight).to(gradient.scalar_type());
}

at::Tensor backward(const at::Tensor& gradient, const at::Tensor& packed, const at::Tensor& absmax,
                    const OptionalTensor& nested_code, const OptionalTensor& nested_absmax,
                    const OptionalTensor& nested_offset, const at::Tensor& code, int64_t rows, int64_t cols,
                    int64_t blocksize, at::ScalarType compute) {
  if (!fused_kernels(compute)) {
    return backward_composite(gradient, packed, absmax, nested_code, nested_absmax, nested_offset, code, rows, cols,
                              blocksize, compute);
  }
  const at::Tensor scales = expand_absmax(absmax, nested_code, nested_absmax, nested_offset);
  const CpuWeight weight(packed, scales, code, rows, cols, blocksize, compute);
  const at::Tensor product = matmul_compute(as_matrix(gradient).to(compute), weight.dense(), compute);
  return with_last(product.to(gradient.scalar_type()), gradient, cols);
}

OptionalTensor optional(const at::Tensor& tensor) { return tensor.defined() ? OptionalTensor(tensor) : std::nullopt; }

// Keeps the codes, never the decoded weight or the input.
class Linear4bit : public torch::autograd::Function<Linear4bit> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& packed,
                            const at::Tensor& absmax, const OptionalTensor& nested_code,
                            const OptionalTensor& nested_absmax, const OptionalTensor& nested_offset,
                            const at::Tensor& code, const OptionalTensor& bias, int64_t rows, int64_t cols,
                            int64_t blocksize, at::ScalarType compute) {
    at::AutoDispatchBelowADInplaceOrView below;
    context->save_for_backward({packed, absmax, nested_code.value_or(at::Tensor()),
                                nested_absmax.value_or(at::Tensor()), nested_offset.value_or(at::Tensor()), code});
    context->saved_data["bias"] = bias && bias->requires_grad();
    context->saved_data["rows"] = rows;
    context->saved_data["cols"] = cols;
    context->saved_data["blocksize"] = blocksize;
    context->saved_data["compute"] = compute;
    return linear_4bit(input, packed, absmax, nested_code, nested_absmax, nested_offset, code, bias, rows, cols,
                       blocksize, compute);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    variable_list result(12);
    if (context->needs_input_grad(0)) {
      result[0] = linear_4bit_backward(gradients[0], saved[0], saved[1], optional(saved[2]), optional(saved[3]),
                                       optional(saved[4]), saved[5], context->saved_data["rows"].toInt(),
                                       context->saved_data["cols"].toInt(), context->saved_data["blocksize"].toInt(),
                                       context->saved_data["compute"].toScalarType());
    }
    if (context->saved_data["bias"].toBool()) {
      result[7] = as_matrix(gradients[0]).sum(0);
    }
    return result;
  }
};

at::Tensor with_autograd(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& absmax,
                         const OptionalTensor& nested_code, const OptionalTensor& nested_absmax,
                         const OptionalTensor& nested_offset, const at::Tensor& code, const OptionalTensor& bias,
                         int64_t rows, int64_t cols, int64_t blocksize, at::ScalarType compute) {
  if (needs_gradient({input, bias.value_or(at::Tensor())})) {
    return Linear4bit::apply(input, packed, absmax, nested_code, nested_absmax, nested_offset, code, bias, rows, cols,
                             blocksize, compute);
  }
  at::AutoDispatchBelowADInplaceOrView below;
  return linear_4bit(input, packed, absmax, nested_code, nested_absmax, nested_offset, code, bias, rows, cols,
                     blocksize, compute);
}

template <at::DeviceType device>
at::Tensor with_autocast(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& absmax,
                         const OptionalTensor& nested_code, const OptionalTensor& nested_absmax,
                         const OptionalTensor& nested_offset, const at::Tensor& code, const OptionalTensor& bias,
                         int64_t rows, int64_t cols, int64_t blocksize, at::ScalarType) {
  AutocastExcluded guard(device);
  return linear_4bit(autocast(input, device), packed, absmax, nested_code, nested_absmax, nested_offset, code,
                     autocast(bias, device), rows, cols, blocksize, at::autocast::get_autocast_dtype(device));
}

template <typename Signature>
auto find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

}  // namespace

at::Tensor linear_4bit(const at::Tensor& input, const at::Tensor& packed, const at::Tensor& absmax,
                       const OptionalTensor& nested_code, const OptionalTensor& nested_absmax,
                       const OptionalTensor& nested_offset, const at::Tensor& code, const OptionalTensor& bias,
                       int64_t rows, int64_t cols, int64_t blocksize, at::ScalarType compute_dtype) {
  static const auto op = find<decltype(linear_4bit)>("panatune::linear_4bit");
  return op.call(input, packed, absmax, nested_code, nested_absmax, nested_offset, code, bias, rows, cols, blocksize,
                 compute_dtype);
}

at::Tensor linear_4bit_backward(const at::Tensor& gradient, const at::Tensor& packed, const at::Tensor& absmax,
                                const OptionalTensor& nested_code, const OptionalTensor& nested_absmax,
                                const OptionalTensor& nested_offset, const at::Tensor& code, int64_t rows, int64_t cols,
                                int64_t blocksize, at::ScalarType compute_dtype) {
  static const auto op = find<decltype(linear_4bit_backward)>("panatune::linear_4bit_backward");
  return op.call(gradient, packed, absmax, nested_code, nested_absmax, nested_offset, code, rows, cols, blocksize,
                 compute_dtype);
}

}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def(
      "linear_4bit(Tensor input, Tensor packed, Tensor absmax, Tensor? nested_code, Tensor? nested_absmax, "
      "Tensor? nested_offset, Tensor code, Tensor? bias, int rows, int cols, int blocksize, "
      "ScalarType compute_dtype) -> Tensor");
  m.def(
      "linear_4bit_backward(Tensor gradient, Tensor packed, Tensor absmax, Tensor? nested_code, "
      "Tensor? nested_absmax, Tensor? nested_offset, Tensor code, int rows, int cols, int blocksize, "
      "ScalarType compute_dtype) -> Tensor");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) {
  m.impl("linear_4bit", panatune::forward);
  m.impl("linear_4bit_backward", panatune::backward);
}
TORCH_LIBRARY_IMPL(panatune, CompositeExplicitAutograd, m) {
  m.impl("linear_4bit", panatune::forward_composite);
  m.impl("linear_4bit_backward", panatune::backward_composite);
}
TORCH_LIBRARY_IMPL(panatune, Autograd, m) { m.impl("linear_4bit", panatune::with_autograd); }
TORCH_LIBRARY_IMPL(panatune, AutocastCPU, m) { m.impl("linear_4bit", panatune::with_autocast<at::kCPU>); }
TORCH_LIBRARY_IMPL(panatune, AutocastCUDA, m) { m.impl("linear_4bit", panatune::with_autocast<at::kCUDA>); }
