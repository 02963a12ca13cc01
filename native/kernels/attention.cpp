#include "attention.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "attention_parts.h"
#include "autograd.h"

namespace panatune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void check_shapes(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  const bool shapes = query.dim() == 4 && key.dim() == 4 && key.sizes() == value.sizes() &&
                      query.size(0) == key.size(0) && query.size(3) == key.size(3) && key.size(1) > 0 &&
                      query.size(1) % key.size(1) == 0;
  TORCH_CHECK(shapes, "panatune::causal_attention: query ", query.sizes(), ", key ", key.sizes(), " and value ",
              value.sizes(), " are not [B, Hq, T, D], [B, Hkv, S, D], [B, Hkv, S, D] with Hq a multiple of Hkv");
  TORCH_CHECK(key.size(2) >= query.size(2), "panatune::causal_attention: query ", query.sizes(),
              " has more rows than key ", key.sizes(), ": its first rows would see no key");
  TORCH_CHECK(query.scalar_type() == key.scalar_type() && query.scalar_type() == value.scalar_type() &&
                  query.is_floating_point(),
              "panatune::causal_attention: query is ", query.scalar_type(), ", key ", key.scalar_type(), ", value ",
              value.scalar_type(), "; all must be of one floating dtype");
}

class CausalAttention : public torch::autograd::Function<CausalAttention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& value, double scale) {
    at::AutoDispatchBelowADInplaceOrView below;
    check_shapes(query, key, value);
    const auto [out, lse] = attention::forward(query, key, value, scale);
    context->save_for_backward({query, key, value, out, lse});
    context->saved_data["scale"] = scale;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto [for_query, for_key, for_value] = attention::backward(
        saved[0], saved[1], saved[2], saved[3], saved[4], gradients[0], context->saved_data["scale"].toDouble());
    return {for_query, for_key, for_value, at::Tensor()};
  }
};

at::Tensor composite(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, double scale) {
  check_shapes(query, key, value);
  const int64_t rows = query.size(2), keys = key.size(2);
  std::optional<at::Tensor> mask;
  if (rows != keys) {
    const auto options = query.options().dtype(at::kLong);
    mask = at::arange(keys, options).unsqueeze(0).le(at::arange(keys - rows, keys, options).unsqueeze(1));
  }
  return at::scaled_dot_product_attention(query, key, value, mask, 0.0, !mask, scale, query.size(1) != key.size(1));
}

at::Tensor forward(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, double scale) {
  if (!fused_kernels(query.scalar_type())) {
    return composite(query, key, value, scale);
  }
  check_shapes(query, key, value);
  return std::get<0>(attention::forward(query, key, value, scale));
}

at::Tensor with_autograd(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, double scale) {
  if (!fused_kernels(query.scalar_type())) {
    return composite(query, key, value, scale);
  }
  if (needs_gradient({query, key, value})) {
    return CausalAttention::apply(query, key, value, scale);
  }
  at::AutoDispatchBelowADInplaceOrView below;
  return forward(query, key, value, scale);
}

template <at::DeviceType device>
at::Tensor with_autocast(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, double scale) {
  AutocastExcluded guard(device);
  return causal_attention(autocast(query, device), autocast(key, device), autocast(value, device), scale);
}

}  // namespace

at::Tensor causal_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, double scale) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("panatune::causal_attention", "")
                             .typed<decltype(causal_attention)>();
  return op.call(query, key, value, scale);
}

}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def("causal_attention(Tensor query, Tensor key, Tensor value, float scale) -> Tensor");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("causal_attention", panatune::forward); }
TORCH_LIBRARY_IMPL(panatune, AutogradCPU, m) { m.impl("causal_attention", panatune::with_autograd); }
TORCH_LIBRARY_IMPL(panatune, CompositeImplicitAutograd, m) { m.impl("causal_attention", panatune::composite); }
TORCH_LIBRARY_IMPL(panatune, AutocastCPU, m) { m.impl("causal_attention", panatune::with_autocast<at::kCPU>); }
TORCH_LIBRARY_IMPL(panatune, AutocastCUDA, m) { m.impl("causal_attention", panatune::with_autocast<at::kCUDA>); }
