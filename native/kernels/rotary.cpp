// panatune::rotary(Tensor input, Tensor cos, Tensor sin) -> Tensor
//
// Rotary position embedding, as Hugging Face's: input [B, H, T, D], element i of a head turned with element
// i + R/2, for the first R of its D elements. cos and sin are [T, C] or [B or 1, T, C], of any floating dtype:
// C = D is a table of both halves (R = D), any other C one of the first half (R = 2C <= D; the elements from R
// on are passed through). To [B, H, T, D] in input's dtype, in memory [B, T, H, D]; fp32 inside. cos and sin
// get no gradient.
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/cat.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>

#include "autograd.h"
#include "cpu.h"
#include "heads.h"
#include "simd.h"

namespace panatune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void check_shapes(const at::Tensor& input, const at::Tensor& cos, const at::Tensor& sin) {
  TORCH_CHECK(input.dim() == 4 && input.is_floating_point(), "panatune::rotary: input ", input.scalar_type(), " ",
              input.sizes(), " is not a floating [B, H, T, D]");
  const bool batched = cos.dim() == 3 && (cos.size(0) == 1 || cos.size(0) == input.size(0));
  const bool shapes = cos.sizes() == sin.sizes() && (cos.dim() == 2 || batched) && cos.size(-2) == input.size(2);
  TORCH_CHECK(shapes && cos.is_floating_point() && sin.is_floating_point(), "panatune::rotary: cos ", cos.sizes(),
              " and sin ", sin.sizes(), " are not floating [T, C] or [B, T, C] for input ", input.sizes());
  const int64_t columns = cos.size(-1), depth = input.size(3);
  TORCH_CHECK(columns > 0 && (columns == depth ? depth % 2 == 0 : 2 * columns <= depth), "panatune::rotary: cos ",
              cos.sizes(), " has neither all ", depth, " (even) nor at most half of the elements of a head of input ",
              input.sizes());
}

// How a table's row turns the two halves of a head: first' = first cos - second sin, second' = second cos' + first
// sin'. The inverse turn, which is the gradient's, is one of these as well.
struct Turn {
  const float* cos_first;
  const float* cos_second;
  const float* sin_first;
  const float* sin_second;
  float sign;
  int64_t half;
};

template <class T>
struct TurnHeads {
  const T* input;
  int64_t input_head;
  T* output;
  int64_t output_head;
  int64_t heads;
  int64_t depth;

  template <int W>
  PANATUNE_INLINE static void run(const TurnHeads& task, const Turn& turn) {
    const int64_t half = turn.half;
    for (int64_t h = 0; h < task.heads; ++h) {
      const T* from = task.input + h * task.input_head;
      T* to = task.output + h * task.output_head;
      for (int64_t i = 0; i < half; i += W) {
        const int64_t left = half - i;
        const simd::F32<W> first = simd::load<W>(from + i, left);
        const simd::F32<W> second = simd::load<W>(from + half + i, left);
        const simd::F32<W> sin_first = simd::load<W>(turn.sin_first + i, left) * turn.sign;
        const simd::F32<W> sin_second = simd::load<W>(turn.sin_second + i, left) * turn.sign;
        simd::store<W>(to + i, first * simd::load<W>(turn.cos_first + i, left) - second * sin_first, left);
        simd::store<W>(to + half + i, second * simd::load<W>(turn.cos_second + i, left) + first * sin_second, left);
      }
      if (2 * half < task.depth) {
        std::memcpy(static_cast<void*>(to + 2 * half), from + 2 * half, (task.depth - 2 * half) * sizeof(T));
      }
    }
  }
};

at::Tensor turned(const at::Tensor& input, const at::Tensor& cos, const at::Tensor& sin, bool inverse) {
  const at::Tensor dense = dense_rows(input), output = empty_joinable(input);
  const at::Tensor cos_rows = cos.to(at::kFloat).contiguous(), sin_rows = sin.to(at::kFloat).contiguous();
  const int64_t heads = input.size(1), length = input.size(2), depth = input.size(3), columns = cos.size(-1);
  const int64_t half = columns == depth ? depth / 2 : columns;
  const int64_t second = columns == depth ? half : 0;
  const int64_t table_batch = cos.dim() == 3 && cos.size(0) > 1 ? length * columns : 0;
  simd::with_type(input.scalar_type(), "panatune::rotary", [&](auto zero) {
    using T = decltype(zero);
    const Rows<const T> from(dense);
    const Rows<T> to(output);
    const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, heads * depth));
    at::parallel_for(0, input.size(0) * length, grain, [&](int64_t begin, int64_t end) {
      for (int64_t position = begin; position < end; ++position) {
        const int64_t b = position / length, t = position % length;
        const float* c = cos_rows.const_data_ptr<float>() + b * table_batch + t * columns;
        const float* s = sin_rows.const_data_ptr<float>() + b * table_batch + t * columns;
        const Turn turn =
            inverse ? Turn{c, c + second, s + second, s, -1.0f, half} : Turn{c, c + second, s, s + second, 1.0f, half};
        const TurnHeads<T> task{from.at(b, 0, t), from.head, to.at(b, 0, t), to.head, heads, depth};
        simd::dispatch<TurnHeads<T>>(task, turn);
      }
    });
  });
  return output;
}

class Rotary : public torch::autograd::Function<Rotary> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& cos,
                            const at::Tensor& sin) {
    at::AutoDispatchBelowADInplaceOrView below;
    check_shapes(input, cos, sin);
    context->save_for_backward({cos, sin});
    return turned(input, cos, sin, false);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    return {turned(gradients[0], saved[0], saved[1], true), at::Tensor(), at::Tensor()};
  }
};

at::Tensor composite(const at::Tensor& input, const at::Tensor& cos, const at::Tensor& sin) {
  check_shapes(input, cos, sin);
  const int64_t depth = input.size(3), columns = cos.size(-1);
  const auto wide = input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto table = [&](const at::Tensor& tensor) {
    const at::Tensor both = columns == depth ? tensor : at::cat({tensor, tensor}, -1);
    return both.detach().to(wide).unsqueeze(-3);
  };
  const int64_t turning = columns == depth ? depth : 2 * columns;
  const at::Tensor head = input.narrow(3, 0, turning).to(wide);
  const at::Tensor first = head.narrow(3, 0, turning / 2), second = head.narrow(3, turning / 2, turning / 2);
  const at::Tensor output = (head * table(cos) + at::cat({-second, first}, -1) * table(sin)).to(input.scalar_type());
  return turning == depth ? output : at::cat({output, input.narrow(3, turning, depth - turning)}, -1);
}

at::Tensor forward(const at::Tensor& input, const at::Tensor& cos, const at::Tensor& sin) {
  if (!fused_kernels(input.scalar_type())) {
    return composite(input, cos, sin);
  }
  check_shapes(input, cos, sin);
  return turned(input, cos, sin, false);
}

at::Tensor with_autograd(const at::Tensor& input, const at::Tensor& cos, const at::Tensor& sin) {
  if (!fused_kernels(input.scalar_type())) {
    return composite(input, cos, sin);
  }
  if (needs_gradient({input})) {
    return Rotary::apply(input, cos, sin);
  }
  at::AutoDispatchBelowADInplaceOrView below;
  return forward(input, cos, sin);
}

}  // namespace
}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) { m.def("rotary(Tensor input, Tensor cos, Tensor sin) -> Tensor"); }
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("rotary", panatune::forward); }
TORCH_LIBRARY_IMPL(panatune, AutogradCPU, m) { m.impl("rotary", panatune::with_autograd); }
TORCH_LIBRARY_IMPL(panatune, CompositeImplicitAutograd, m) { m.impl("rotary", panatune::composite); }
