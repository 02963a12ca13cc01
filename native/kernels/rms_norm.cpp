// panatune::rms_norm(Tensor input, Tensor weight, float eps, bool one_plus=False) -> Tensor
//
// input [..., H] divided by the root of its mean square over H, times weight [H] (or 1 + weight): [..., H] in
// input's dtype. Everything inside is fp32, and the result is rounded once. The backward pass keeps input and
// weight alone. The weight may be of another floating dtype than the input.
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "autograd.h"
#include "cpu.h"
#include "simd.h"

namespace panatune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows whose part of the weight's gradient is summed together: the same sums for any number of threads.
constexpr int64_t kBlockRows = 64;

void check_shapes(const at::Tensor& input, const at::Tensor& weight) {
  TORCH_CHECK(weight.dim() == 1 && input.dim() >= 1 && input.size(-1) == weight.size(0) && weight.size(0) > 0,
              "panatune::rms_norm: input ", input.sizes(), " and weight ", weight.sizes(), " are not [..., H] and [H]");
  TORCH_CHECK(input.is_floating_point() && weight.is_floating_point(), "panatune::rms_norm: input is ",
              input.scalar_type(), " and weight ", weight.scalar_type(), ", but both must be floating point");
}

template <int W, class T>
PANATUNE_INLINE float inverse_root(const T* row, int64_t width, float epsilon) {
  simd::F32<W> sums = {};
  for (int64_t i = 0; i < width; i += W) {
    const simd::F32<W> x = simd::load<W>(row + i, width - i);
    sums += x * x;
  }
  return 1.0f / __builtin_sqrtf(simd::sum<W>(sums) / static_cast<float>(width) + epsilon);
}

template <class T>
struct ForwardRows {
  const T* input;
  const float* weight;
  T* output;
  int64_t width;
  float epsilon;

  template <int W>
  PANATUNE_INLINE static void run(const ForwardRows& rows, int64_t begin, int64_t end) {
    const int64_t width = rows.width;
    for (int64_t r = begin; r < end; ++r) {
      const T* input = rows.input + r * width;
      const float scale = inverse_root<W>(input, width, rows.epsilon);
      for (int64_t i = 0; i < width; i += W) {
        const simd::F32<W> normalised = simd::load<W>(input + i, width - i) * scale;
        simd::store<W>(rows.output + r * width + i, normalised * simd::load<W>(rows.weight + i, width - i), width - i);
      }
    }
  }
};

template <class T>
struct BackwardRows {
  const T* gradient;
  const T* input;
  const float* weight;
  T* for_input;
  float* for_weight;  // [H], added to; null where it is not asked for
  int64_t width;
  float epsilon;

  template <int W>
  PANATUNE_INLINE static void run(const BackwardRows& rows, int64_t begin, int64_t end) {
    const int64_t width = rows.width;
    for (int64_t r = begin; r < end; ++r) {
      const T* input = rows.input + r * width;
      const T* gradient = rows.gradient + r * width;
      const float scale = inverse_root<W>(input, width, rows.epsilon);
      simd::F32<W> sums = {};
      for (int64_t i = 0; i < width; i += W) {
        const int64_t left = width - i;
        sums +=
            simd::load<W>(gradient + i, left) * simd::load<W>(rows.weight + i, left) * simd::load<W>(input + i, left);
      }
      const float pull = simd::sum<W>(sums) * scale * scale / static_cast<float>(width);
      for (int64_t i = 0; i < width; i += W) {
        const int64_t left = width - i;
        const simd::F32<W> x = simd::load<W>(input + i, left);
        const simd::F32<W> g = simd::load<W>(gradient + i, left);
        simd::store<W>(rows.for_input + r * width + i, (g * simd::load<W>(rows.weight + i, left) - x * pull) * scale,
                       left);
        if (rows.for_weight != nullptr) {
          simd::store<W>(rows.for_weight + i, simd::load<W>(rows.for_weight + i, left) + g * (x * scale), left);
        }
      }
    }
  }
};

// The factor that each column is multiplied by, in fp32.
at::Tensor factors(const at::Tensor& weight, bool one_plus) {
  const at::Tensor wide = weight.to(at::kFloat).contiguous();
  return one_plus ? wide.add(1) : wide;
}

int64_t grain(int64_t width) { return std::max<int64_t>(1, 16384 / width); }

at::Tensor compute(const at::Tensor& input, const at::Tensor& weight, double eps, bool one_plus) {
  const at::Tensor dense = input.contiguous();
  const at::Tensor factor = factors(weight, one_plus);
  const at::Tensor output = at::empty_like(dense);
  const int64_t width = input.size(-1);
  simd::with_type(input.scalar_type(), "panatune::rms_norm", [&](auto zero) {
    using T = decltype(zero);
    const ForwardRows<T> rows{dense.const_data_ptr<T>(), factor.const_data_ptr<float>(), output.mutable_data_ptr<T>(),
                              width, static_cast<float>(eps)};
    at::parallel_for(0, dense.numel() / width, grain(width),
                     [&](int64_t begin, int64_t end) { simd::dispatch<ForwardRows<T>>(rows, begin, end); });
  });
  return output;
}

// The gradients of input and, where it is asked for, weight.
std::tuple<at::Tensor, at::Tensor> differentiate(const at::Tensor& gradient, const at::Tensor& input,
                                                 const at::Tensor& weight, double eps, bool one_plus,
                                                 bool weight_gradient) {
  const at::Tensor dense = input.contiguous(), dense_gradient = gradient.contiguous();
  const at::Tensor factor = factors(weight, one_plus);
  const at::Tensor for_input = at::empty_like(dense);
  const int64_t width = input.size(-1), count = dense.numel() / width;
  const int64_t blocks = (count + kBlockRows - 1) / kBlockRows;
  const at::Tensor parts = weight_gradient ? at::zeros({blocks, width}, factor.options()) : at::Tensor();
  simd::with_type(input.scalar_type(), "panatune::rms_norm", [&](auto zero) {
    using T = decltype(zero);
    at::parallel_for(0, blocks, std::max<int64_t>(1, grain(width) / kBlockRows), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const BackwardRows<T> rows{dense_gradient.const_data_ptr<T>(),
                                   dense.const_data_ptr<T>(),
                                   factor.const_data_ptr<float>(),
                                   for_input.mutable_data_ptr<T>(),
                                   weight_gradient ? parts.mutable_data_ptr<float>() + b * width : nullptr,
                                   width,
                                   static_cast<float>(eps)};
        simd::dispatch<BackwardRows<T>>(rows, b * kBlockRows, std::min(count, (b + 1) * kBlockRows));
      }
    });
  });
  return {for_input, weight_gradient ? parts.sum(0).to(weight.scalar_type()) : at::Tensor()};
}

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight, double eps,
                            bool one_plus) {
    at::AutoDispatchBelowADInplaceOrView below;
    check_shapes(input, weight);
    context->save_for_backward({input, weight});
    context->saved_data["eps"] = eps;
    context->saved_data["one_plus"] = one_plus;
    return compute(input, weight, eps, one_plus);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto [for_input, for_weight] =
        differentiate(gradients[0], saved[0], saved[1], context->saved_data["eps"].toDouble(),
                      context->saved_data["one_plus"].toBool(), context->needs_input_grad(1));
    return {for_input, for_weight, at::Tensor(), at::Tensor()};
  }
};

at::Tensor composite(const at::Tensor& input, const at::Tensor& weight, double eps, bool one_plus) {
  check_shapes(input, weight);
  const auto wide = input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor x = input.to(wide);
  const at::Tensor factor = one_plus ? weight.to(wide).add(1) : weight.to(wide);
  return (x * x.square().mean(-1, true).add(eps).rsqrt() * factor).to(input.scalar_type());
}

at::Tensor forward(const at::Tensor& input, const at::Tensor& weight, double eps, bool one_plus) {
  if (!fused_kernels(input.scalar_type())) {
    return composite(input, weight, eps, one_plus);
  }
  check_shapes(input, weight);
  return compute(input, weight, eps, one_plus);
}

at::Tensor with_autograd(const at::Tensor& input, const at::Tensor& weight, double eps, bool one_plus) {
  if (!fused_kernels(input.scalar_type())) {
    return composite(input, weight, eps, one_plus);
  }
  if (needs_gradient({input, weight})) {
    return RmsNorm::apply(input, weight, eps, one_plus);
  }
  at::AutoDispatchBelowADInplaceOrView below;
  return forward(input, weight, eps, one_plus);
}

}  // namespace
}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def("rms_norm(Tensor input, Tensor weight, float eps, bool one_plus=False) -> Tensor");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("rms_norm", panatune::forward); }
TORCH_LIBRARY_IMPL(panatune, AutogradCPU, m) { m.impl("rms_norm", panatune::with_autograd); }
TORCH_LIBRARY_IMPL(panatune, CompositeImplicitAutograd, m) { m.impl("rms_norm", panatune::composite); }
