#include "linear.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "autograd.h"
#include "cpu.h"
#include "gemm.h"

namespace panatune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<at::Tensor>;

void check_shapes(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias) {
  TORCH_CHECK(weight.dim() == 2, "panatune::linear: weight ", weight.sizes(), " is not [out, in]");
  TORCH_CHECK(input.dim() >= 1 && input.size(-1) == weight.size(1), "panatune::linear: input ", input.sizes(),
              " does not end in the ", weight.size(1), " of weight ", weight.sizes());
  TORCH_CHECK(!bias || (bias->dim() == 1 && bias->size(0) == weight.size(0)), "panatune::linear: bias ",
              bias ? bias->sizes() : at::IntArrayRef{}, " is not [", weight.size(0), "] as weight ", weight.sizes(),
              " has rows");
  TORCH_CHECK(input.is_floating_point() && input.scalar_type() == weight.scalar_type() &&
                  (!bias || bias->scalar_type() == input.scalar_type()),
              "panatune::linear: input is ", input.scalar_type(), ", weight ", weight.scalar_type(),
              bias ? ", bias " : "", bias ? c10::toString(bias->scalar_type()) : "",
              "; all must be of one floating dtype (or use autocast)");
}

at::Tensor rows(const at::Tensor& tensor) { return tensor.reshape({-1, tensor.size(-1)}); }

std::vector<int64_t> with_last(const at::Tensor& tensor, int64_t last) {
  std::vector<int64_t> shape = tensor.sizes().vec();
  shape.back() = last;
  return shape;
}

// Both types' plain path: at::linear has nothing that we do better.
bool plain(const at::Tensor& input) { return !fused_kernels(input.scalar_type()) || input.scalar_type() == at::kFloat; }

at::Tensor forward(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias) {
  check_shapes(input, weight, bias);
  if (plain(input)) {
    return at::linear(input, weight, bias);
  }
  return matmul_compute(rows(input), weight.t(), bias).view(with_last(input, weight.size(0)));
}

class Linear : public torch::autograd::Function<Linear> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight,
                            const OptionalTensor& bias) {
    at::AutoDispatchBelowADInplaceOrView below;
    context->save_for_backward(
        {input.requires_grad() ? weight : at::Tensor(), weight.requires_grad() ? input : at::Tensor()});
    context->saved_data["bias"] = bias && bias->requires_grad();
    return panatune::linear(input, weight, bias);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& weight = saved[0];
    const at::Tensor& input = saved[1];
    const at::Tensor gradient = rows(gradients[0]);
    at::Tensor for_input, for_weight, for_bias;
    if (context->needs_input_grad(0)) {
      for_input = matmul_compute(gradient, weight).view(with_last(gradients[0], weight.size(1)));
    }
    if (context->needs_input_grad(1)) {
      for_weight = matmul_compute(gradient.t(), rows(input));
    }
    if (context->saved_data["bias"].toBool()) {
      for_bias = gradient.sum(0);
    }
    return {for_input, for_weight, for_bias};
  }
};

at::Tensor with_autograd(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias) {
  if (needs_gradient({input, weight, bias.value_or(at::Tensor())})) {
    return Linear::apply(input, weight, bias);
  }
  at::AutoDispatchBelowADInplaceOrView below;
  return panatune::linear(input, weight, bias);
}

at::Tensor composite(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias) {
  check_shapes(input, weight, bias);
  return at::linear(input, weight, bias);
}

template <at::DeviceType device>
at::Tensor with_autocast(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias) {
  AutocastExcluded guard(device);
  return panatune::linear(autocast(input, device), autocast(weight, device), autocast(bias, device));
}

}  // namespace

at::Tensor linear(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("panatune::linear", "").typed<decltype(linear)>();
  return op.call(input, weight, bias);
}

}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) { m.def("linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor"); }
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("linear", panatune::forward); }
TORCH_LIBRARY_IMPL(panatune, AutogradCPU, m) { m.impl("linear", panatune::with_autograd); }
TORCH_LIBRARY_IMPL(panatune, CompositeImplicitAutograd, m) { m.impl("linear", panatune::composite); }
TORCH_LIBRARY_IMPL(panatune, AutocastCPU, m) { m.impl("linear", panatune::with_autocast<at::kCPU>); }
TORCH_LIBRARY_IMPL(panatune, AutocastCUDA, m) { m.impl("linear", panatune::with_autocast<at::kCUDA>); }
