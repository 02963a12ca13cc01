#include "attention.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>

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

using attention::Rule;

void check_rule(const at::Tensor& query, const at::Tensor& key, const Rule& rule) {
  TORCH_CHECK(rule.window >= 0 && rule.soft_cap >= 0, "panatune::causal_attention: window ", rule.window,
              " and soft_cap ", rule.soft_cap, " must be positive, or 0 for none");
  if (!rule.first_keys.defined()) {
    return;
  }
  const at::Tensor& first = rule.first_keys;
  const int64_t rows = query.size(2);
  TORCH_CHECK(first.scalar_type() == at::kLong && first.dim() == 2 && first.size(1) == rows &&
                  (first.size(0) == 1 || first.size(0) == query.size(0)),
              "panatune::causal_attention: first_keys are ", first.scalar_type(), " ", first.sizes(),
              ", but must be Long [B or 1, T] for query ", query.sizes());
  if (first.numel() == 0) {
    return;
  }
  const at::Tensor last = at::arange(key.size(2) - rows, key.size(2), first.options());
  const bool inside = first.ge(0).logical_and(first.le(last)).all().item<bool>();
  const bool ascending = first.narrow(1, 1, rows - 1).ge(first.narrow(1, 0, rows - 1)).all().item<bool>();
  TORCH_CHECK(inside && ascending, "panatune::causal_attention: first_keys must not fall along a row, and query row i ",
              "of ", rows, " can see the keys 0 to ", key.size(2) - rows, " + i");
}

class CausalAttention : public torch::autograd::Function<CausalAttention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& value, const Rule& rule) {
    at::AutoDispatchBelowADInplaceOrView below;
    check_shapes(query, key, value);
    check_rule(query, key, rule);
    const auto [out, lse] = attention::forward(query, key, value, rule);
    context->save_for_backward({query, key, value, lse, rule.first_keys});
    context->saved_data["scale"] = rule.scale;
    context->saved_data["window"] = rule.window;
    context->saved_data["soft_cap"] = rule.soft_cap;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto& data = context->saved_data;
    const Rule rule{data.at("scale").toDouble(), saved[4], data.at("window").toInt(), data.at("soft_cap").toDouble()};
    const auto [for_query, for_key, for_value] =
        attention::backward(saved[0], saved[1], saved[2], saved[3], gradients[0], rule);
    return {for_query, for_key, for_value, at::Tensor()};
  }
};

// Which keys each query row sees, bool [B or 1, 1, T, S]; undefined where all up to its own, and as many rows as keys.
at::Tensor seen(const at::Tensor& query, const at::Tensor& key, const Rule& rule) {
  const int64_t rows = query.size(2), keys = key.size(2);
  if (rows == keys && !rule.first_keys.defined() && rule.window == 0) {
    return {};
  }
  const auto options = query.options().dtype(at::kLong);
  const at::Tensor position = at::arange(keys, options).unsqueeze(0);
  const at::Tensor last = at::arange(keys - rows, keys, options).unsqueeze(1);
  at::Tensor mask = position.le(last);
  if (rule.window != 0) {
    mask = mask.logical_and(position.gt(last - rule.window));
  }
  mask = mask.unsqueeze(0);
  if (rule.first_keys.defined()) {
    mask = mask.logical_and(position.unsqueeze(0).ge(rule.first_keys.unsqueeze(2)));
  }
  return mask.unsqueeze(1);
}

at::Tensor composite(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const Rule& rule) {
  check_shapes(query, key, value);
  check_rule(query, key, rule);
  const at::Tensor mask = seen(query, key, rule);
  if (rule.soft_cap == 0) {
    const auto optional_mask = mask.defined() ? std::optional<at::Tensor>(mask) : std::nullopt;
    return at::scaled_dot_product_attention(query, key, value, optional_mask, 0.0, !mask.defined(), rule.scale,
                                            query.size(1) != key.size(1));
  }
  const int64_t group = query.size(1) / key.size(1);
  const auto wide = query.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor keys = key.to(wide).repeat_interleave(group, 1), values = value.to(wide).repeat_interleave(group, 1);
  const at::Tensor products = query.to(wide).mul(rule.scale).matmul(keys.transpose(2, 3));
  const at::Tensor scores = (products / rule.soft_cap).tanh() * rule.soft_cap;
  const at::Tensor visible =
      mask.defined() ? mask : at::ones({query.size(2), key.size(2)}, query.options().dtype(at::kBool)).tril();
  const at::Tensor weights = scores.masked_fill(visible.logical_not(), -INFINITY).softmax(-1);
  return weights.matmul(values).to(query.scalar_type());
}

at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const Rule& rule) {
  if (!fused_kernels(query.scalar_type())) {
    return composite(query, key, value, rule);
  }
  check_shapes(query, key, value);
  check_rule(query, key, rule);
  return std::get<0>(attention::forward(query, key, value, rule));
}

at::Tensor with_autograd(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const Rule& rule) {
  if (!fused_kernels(query.scalar_type())) {
    return composite(query, key, value, rule);
  }
  if (needs_gradient({query, key, value})) {
    return CausalAttention::apply(query, key, value, rule);
  }
  at::AutoDispatchBelowADInplaceOrView below;
  return attend(query, key, value, rule);
}

// Makes the dispatcher's function of one that takes a Rule.
template <at::Tensor (*body)(const at::Tensor&, const at::Tensor&, const at::Tensor&, const Rule&)>
at::Tensor unpacked(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, double scale,
                    const std::optional<at::Tensor>& first_keys, int64_t window, double soft_cap) {
  return body(query, key, value, {scale, first_keys.value_or(at::Tensor()), window, soft_cap});
}

template <at::DeviceType device>
at::Tensor with_autocast(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, double scale,
                         const std::optional<at::Tensor>& first_keys, int64_t window, double soft_cap) {
  AutocastExcluded guard(device);
  return causal_attention(autocast(query, device), autocast(key, device), autocast(value, device), scale, first_keys,
                          window, soft_cap);
}

}  // namespace

at::Tensor causal_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, double scale,
                            const std::optional<at::Tensor>& first_keys, int64_t window, double soft_cap) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("panatune::causal_attention", "")
                             .typed<decltype(causal_attention)>();
  return op.call(query, key, value, scale, first_keys, window, soft_cap);
}

}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def(
      "causal_attention(Tensor query, Tensor key, Tensor value, float scale, Tensor? first_keys=None, int window=0, "
      "float soft_cap=0) -> Tensor");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("causal_attention", panatune::unpacked<panatune::attend>); }
TORCH_LIBRARY_IMPL(panatune, AutogradCPU, m) {
  m.impl("causal_attention", panatune::unpacked<panatune::with_autograd>);
}
TORCH_LIBRARY_IMPL(panatune, CompositeImplicitAutograd, m) {
  m.impl("causal_attention", panatune::unpacked<panatune::composite>);
}
TORCH_LIBRARY_IMPL(panatune, AutocastCPU, m) { m.impl("causal_attention", panatune::with_autocast<at::kCPU>); }
TORCH_LIBRARY_IMPL(panatune, AutocastCUDA, m) { m.impl("causal_attention", panatune::with_autocast<at::kCUDA>); }
