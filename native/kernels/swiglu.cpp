// panatune::swiglu(Tensor gate, Tensor up) -> Tensor
//
// silu(gate) * up, elementwise, of one shape and dtype: fp32 inside, rounded once. Halves of a joined
// projection's output are read in place. The backward pass keeps gate and up.
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/sigmoid.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <tuple>

#include "autograd.h"
#include "cpu.h"
#include "simd.h"

namespace panatune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void check_shapes(const at::Tensor& gate, const at::Tensor& up) {
  TORCH_CHECK(gate.dim() >= 1 && gate.sizes() == up.sizes(), "panatune::swiglu: gate ", gate.sizes(), " and up ",
              up.sizes(), " are not of one shape [..., I]");
  TORCH_CHECK(gate.is_floating_point() && gate.scalar_type() == up.scalar_type(), "panatune::swiglu: gate is ",
              gate.scalar_type(), " and up ", up.scalar_type(), "; both must be of one floating dtype");
}

// [..., I] as [rows, I] with dense rows, in place where the strides allow it.
at::Tensor rows_of(const at::Tensor& tensor) {
  const at::Tensor rows = tensor.reshape({tensor.numel() / std::max<int64_t>(1, tensor.size(-1)), tensor.size(-1)});
  return rows.stride(1) == 1 ? rows : rows.contiguous();
}

template <class T>
struct Matrix {
  T* data;
  int64_t stride;

  explicit Matrix(const at::Tensor& rows) : data(static_cast<T*>(rows.data_ptr())), stride(rows.stride(0)) {}

  PANATUNE_INLINE T* row(int64_t r) const { return data + r * stride; }
};

template <class T>
struct ForwardRows {
  Matrix<const T> gate, up;
  Matrix<T> output;
  int64_t width;

  template <int W>
  PANATUNE_INLINE static void run(const ForwardRows& rows, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      for (int64_t i = 0; i < rows.width; i += W) {
        const int64_t left = rows.width - i;
        const simd::F32<W> gate = simd::load<W>(rows.gate.row(r) + i, left);
        const simd::F32<W> up = simd::load<W>(rows.up.row(r) + i, left);
        simd::store<W>(rows.output.row(r) + i, gate * simd::sigmoid<W>(gate) * up, left);
      }
    }
  }
};

template <class T>
struct BackwardRows {
  Matrix<const T> gradient, gate, up;
  Matrix<T> for_gate, for_up;
  int64_t width;

  template <int W>
  PANATUNE_INLINE static void run(const BackwardRows& rows, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      for (int64_t i = 0; i < rows.width; i += W) {
        const int64_t left = rows.width - i;
        const simd::F32<W> gradient = simd::load<W>(rows.gradient.row(r) + i, left);
        const simd::F32<W> gate = simd::load<W>(rows.gate.row(r) + i, left);
        const simd::F32<W> up = simd::load<W>(rows.up.row(r) + i, left);
        const simd::F32<W> sigmoid = simd::sigmoid<W>(gate);
        const simd::F32<W> silu = gate * sigmoid;
        simd::store<W>(rows.for_up.row(r) + i, gradient * silu, left);
        simd::store<W>(rows.for_gate.row(r) + i, gradient * up * (sigmoid + silu * (1.0f - sigmoid)), left);
      }
    }
  }
};

template <class Rows>
void over_rows(const Rows& rows, int64_t count) {
  at::parallel_for(0, count, std::max<int64_t>(1, 8192 / std::max<int64_t>(1, rows.width)),
                   [&](int64_t begin, int64_t end) { simd::dispatch<Rows>(rows, begin, end); });
}

at::Tensor compute(const at::Tensor& gate, const at::Tensor& up) {
  const at::Tensor gates = rows_of(gate), ups = rows_of(up);
  const at::Tensor output = at::empty(gates.sizes(), gate.options());
  simd::with_type(gate.scalar_type(), "panatune::swiglu", [&](auto zero) {
    using T = decltype(zero);
    over_rows(ForwardRows<T>{Matrix<const T>(gates), Matrix<const T>(ups), Matrix<T>(output), gates.size(1)},
              gates.size(0));
  });
  return output.view(gate.sizes());
}

std::tuple<at::Tensor, at::Tensor> differentiate(const at::Tensor& gradient, const at::Tensor& gate,
                                                 const at::Tensor& up) {
  const at::Tensor gradients = rows_of(gradient), gates = rows_of(gate), ups = rows_of(up);
  const at::Tensor for_gate = at::empty(gates.sizes(), gate.options());
  const at::Tensor for_up = at::empty(gates.sizes(), gate.options());
  simd::with_type(gate.scalar_type(), "panatune::swiglu", [&](auto zero) {
    using T = decltype(zero);
    over_rows(BackwardRows<T>{Matrix<const T>(gradients), Matrix<const T>(gates), Matrix<const T>(ups),
                              Matrix<T>(for_gate), Matrix<T>(for_up), gates.size(1)},
              gates.size(0));
  });
  return {for_gate.view(gate.sizes()), for_up.view(gate.sizes())};
}

class Swiglu : public torch::autograd::Function<Swiglu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
    at::AutoDispatchBelowADInplaceOrView below;
    check_shapes(gate, up);
    context->save_for_backward({gate, up});
    return compute(gate, up);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto [for_gate, for_up] = differentiate(gradients[0], saved[0], saved[1]);
    return {for_gate, for_up};
  }
};

at::Tensor composite(const at::Tensor& gate, const at::Tensor& up) {
  check_shapes(gate, up);
  const auto wide = gate.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor x = gate.to(wide);
  return (x * x.sigmoid() * up.to(wide)).to(gate.scalar_type());
}

at::Tensor forward(const at::Tensor& gate, const at::Tensor& up) {
  if (!fused_kernels(gate.scalar_type())) {
    return composite(gate, up);
  }
  check_shapes(gate, up);
  return compute(gate, up);
}

at::Tensor with_autograd(const at::Tensor& gate, const at::Tensor& up) {
  if (!fused_kernels(gate.scalar_type())) {
    return composite(gate, up);
  }
  if (needs_gradient({gate, up})) {
    return Swiglu::apply(gate, up);
  }
  at::AutoDispatchBelowADInplaceOrView below;
  return forward(gate, up);
}

}  // namespace
}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) { m.def("swiglu(Tensor gate, Tensor up) -> Tensor"); }
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("swiglu", panatune::forward); }
TORCH_LIBRARY_IMPL(panatune, AutogradCPU, m) { m.impl("swiglu", panatune::with_autograd); }
TORCH_LIBRARY_IMPL(panatune, CompositeImplicitAutograd, m) { m.impl("swiglu", panatune::composite); }
