#include "lora_linear.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/ones.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>

#include "autograd.h"
#include "cpu.h"
#include "dropout.h"
#include "linear.h"
#include "linear4bit.h"
#include "lora_products.h"

namespace panatune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using OptionalTensor = std::optional<at::Tensor>;
using OptionalTensors = c10::List<OptionalTensor>;

constexpr size_t kParts4bit = 6;
// Up to this many rows the operators of the layers alone read their weights in place.
constexpr int64_t kFewRows = 8;

// The arguments, as they are handed on.
struct Call {
  const at::Tensor& input;
  const OptionalTensors& weights;
  const OptionalTensors& biases;
  at::TensorList lora_a;
  at::TensorList lora_b;
  at::ArrayRef<double> scalings;
  at::ArrayRef<double> dropouts;
  int64_t blocksize;
  at::ScalarType compute;

  size_t layers() const { return lora_a.size(); }
  bool quantized() const { return blocksize != 0; }
  size_t parts() const { return quantized() ? kParts4bit : 1; }
  at::Tensor part(size_t layer, size_t index) const {
    return weights.get(layer * parts() + index).value_or(at::Tensor());
  }
  at::Tensor bias(size_t layer) const { return biases.get(layer).value_or(at::Tensor()); }
};

void check(const Call& call) {
  const size_t n = call.layers();
  TORCH_CHECK(n > 0 && call.lora_b.size() == n && call.scalings.size() == n && call.dropouts.size() == n &&
                  call.biases.size() == n && call.weights.size() == n * call.parts(),
              "panatune::lora_linear: of ", n, " layers come ", call.lora_b.size(), " B, ", call.scalings.size(),
              " scalings, ", call.dropouts.size(), " dropouts, ", call.biases.size(), " biases and ",
              call.weights.size(), " parts of weights, of which a layer has ", call.parts());
  TORCH_CHECK(call.input.dim() >= 1 && call.input.is_floating_point(), "panatune::lora_linear: input ",
              call.input.scalar_type(), " ", call.input.sizes(), " is not floating point [..., in]");
  const int64_t in = call.input.size(-1);
  for (size_t i = 0; i < n; ++i) {
    const at::Tensor &a = call.lora_a[i], &b = call.lora_b[i];
    TORCH_CHECK(a.dim() == 2 && b.dim() == 2 && a.size(0) == b.size(1) && a.size(1) == in && a.is_floating_point() &&
                    b.is_floating_point(),
                "panatune::lora_linear: A ", a.scalar_type(), " ", a.sizes(), " and B ", b.scalar_type(), " ",
                b.sizes(), " of layer ", i, " are not floating point [r, ", in, "] and [out, r] as input ",
                call.input.sizes(), " needs");
    const at::Tensor bias = call.bias(i);
    TORCH_CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == b.size(0)), "panatune::lora_linear: bias ",
                bias.defined() ? bias.sizes() : at::IntArrayRef{}, " of layer ", i, " is not [", b.size(0), "]");
    if (!call.quantized()) {
      const at::Tensor weight = call.part(i, 0);
      TORCH_CHECK(weight.defined() && weight.dim() == 2 && weight.size(0) == b.size(0) && weight.size(1) == in &&
                      weight.scalar_type() == call.input.scalar_type(),
                  "panatune::lora_linear: weight ", weight.defined() ? c10::toString(weight.scalar_type()) : "none",
                  " ", weight.defined() ? weight.sizes() : at::IntArrayRef{}, " of layer ", i, " is not ",
                  call.input.scalar_type(), " [", b.size(0), ", ", in, "] as input and B need (or use autocast)");
    }
  }
}

at::Tensor as_matrix(const at::Tensor& tensor) { return tensor.reshape({-1, tensor.size(-1)}); }

at::Tensor shaped_as(const at::Tensor& matrix, const at::Tensor& like) {
  std::vector<int64_t> shape = like.sizes().vec();
  shape.back() = matrix.size(1);
  return matrix.view(shape);
}

// The frozen layer alone, by the operator that it has without an adapter.
at::Tensor base_result(const Call& call, size_t layer) {
  const at::Tensor bias = call.bias(layer);
  const OptionalTensor optional_bias = bias.defined() ? OptionalTensor(bias) : std::nullopt;
  if (!call.quantized()) {
    return panatune::linear(call.input, call.part(layer, 0), optional_bias);
  }
  const auto nested = [&](size_t index) { return call.weights.get(layer * kParts4bit + index); };
  return linear_4bit(call.input, call.part(layer, 0), call.part(layer, 1), nested(2), nested(3), nested(4),
                     call.part(layer, 5), optional_bias, call.lora_b[layer].size(0), call.input.size(-1),
                     call.blocksize, call.compute);
}

at::Tensor dropped(const at::Tensor& input, double probability) {
  if (probability == 0) {
    return input;
  }
  if (!input.is_cpu()) {
    return at::dropout(input, probability, true);
  }
  const Dropout dropout = Dropout::draw(probability);
  const at::Tensor ones = at::ones({input.numel() / std::max<int64_t>(1, input.size(-1)), input.size(-1)},
                                   input.options().dtype(at::kFloat).requires_grad(false));
  return input * dropout.apply(ones, at::kFloat).view(input.sizes()).to(input.scalar_type());
}

std::vector<at::Tensor> composite(const Call& call) {
  check(call);
  const at::ScalarType dtype = call.input.scalar_type();
  std::vector<at::Tensor> results;
  for (size_t i = 0; i < call.layers(); ++i) {
    const at::Tensor inner =
        panatune::linear(dropped(call.input, call.dropouts[i]), call.lora_a[i].to(dtype), std::nullopt);
    const at::Tensor update = panatune::linear(inner, call.lora_b[i].to(dtype), std::nullopt);
    results.push_back(base_result(call, i) + update * call.scalings[i]);
  }
  return results;
}

bool fused(const Call& call) {
  if (!fused_kernels(call.compute) || !fused_kernels(call.input.scalar_type())) {
    return false;
  }
  // A weight that is trained itself needs a gradient that the fused kernel never forms.
  for (size_t i = 0; i < call.weights.size(); ++i) {
    const OptionalTensor weight = call.weights.get(i);
    if (weight && weight->requires_grad()) {
      return false;
    }
  }
  return true;
}

std::vector<LoraLayer> layers_of(const Call& call) {
  std::vector<LoraLayer> layers;
  for (size_t i = 0; i < call.layers(); ++i) {
    std::vector<at::Tensor> parts;
    for (size_t p = 0; p < call.parts(); ++p) {
      parts.push_back(call.part(i, p));
    }
    const int64_t out = call.lora_b[i].size(0), in = call.lora_a[i].size(1);
    layers.push_back(
        {call.quantized() ? BaseWeight(parts, out, in, call.blocksize, call.compute) : BaseWeight(parts[0]),
         call.bias(i), call.lora_a[i].detach(), call.lora_b[i].detach(), call.scalings[i],
         Dropout::draw(call.dropouts[i])});
  }
  return layers;
}

std::vector<at::Tensor> shaped(const std::vector<at::Tensor>& matrices, const at::Tensor& like) {
  std::vector<at::Tensor> results;
  for (const at::Tensor& matrix : matrices) {
    results.push_back(shaped_as(matrix, like));
  }
  return results;
}

// Up to 8 rows (decoding): the weight is read in place by the layer's own operator.
std::vector<at::Tensor> few_rows(const Call& call) {
  std::vector<at::Tensor> results;
  for (size_t i = 0; i < call.layers(); ++i) {
    const at::Tensor wide = as_matrix(call.input).to(at::kFloat);
    const at::Tensor inner = wide.mm(call.lora_a[i].to(at::kFloat).t());
    at::Tensor sum = as_matrix(base_result(call, i)).to(at::kFloat);
    sum = sum.addmm(inner, call.lora_b[i].to(at::kFloat).t(), 1, call.scalings[i]);
    results.push_back(shaped_as(sum.to(call.input.scalar_type()), call.input));
  }
  return results;
}

bool drops(const Call& call) {
  return std::any_of(call.dropouts.begin(), call.dropouts.end(), [](double p) { return p > 0; });
}

std::vector<at::Tensor> forward(const Call& call) {
  if (!fused(call)) {
    return composite(call);
  }
  check(call);
  if (call.input.numel() <= kFewRows * call.input.size(-1) && !drops(call)) {
    return few_rows(call);
  }
  const LoraResults results = lora_forward(as_matrix(call.input), layers_of(call), call.compute);
  return shaped(results.outputs, call.input);
}

class LoraLinear : public torch::autograd::Function<LoraLinear> {
 public:
  // The trained biases are those of call.biases that need a gradient, in their order: known to autograd by this list.
  static variable_list forward(AutogradContext* context, const at::Tensor& input, at::TensorList lora_a,
                               at::TensorList lora_b, at::TensorList /*trained_biases*/, const Call& call) {
    at::AutoDispatchBelowADInplaceOrView below;
    check(call);
    const std::vector<LoraLayer> layers = layers_of(call);
    const at::Tensor matrix = as_matrix(input);
    const LoraResults results = lora_forward(matrix, layers, call.compute);
    variable_list saved{input};
    c10::List<double> scalings, probabilities;
    c10::List<int64_t> seeds;
    c10::List<bool> has_trained_bias;
    for (size_t i = 0; i < layers.size(); ++i) {
      saved.insert(saved.end(), {results.inner[i], lora_a[i], lora_b[i]});
      for (size_t p = 0; p < call.parts(); ++p) {
        saved.push_back(call.part(i, p));
      }
      scalings.push_back(layers[i].scaling);
      probabilities.push_back(layers[i].dropout.probability);
      seeds.push_back(static_cast<int64_t>(layers[i].dropout.seed));
      has_trained_bias.push_back(layers[i].bias.defined() && layers[i].bias.requires_grad());
    }
    context->save_for_backward(std::move(saved));
    context->saved_data["scalings"] = std::move(scalings);
    context->saved_data["probabilities"] = std::move(probabilities);
    context->saved_data["seeds"] = std::move(seeds);
    context->saved_data["has_trained_bias"] = std::move(has_trained_bias);
    context->saved_data["blocksize"] = call.blocksize;
    context->saved_data["compute"] = call.compute;
    return shaped(results.outputs, input);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto& data = context->saved_data;
    const std::vector<double> scalings = data.at("scalings").toDoubleVector();
    const std::vector<double> probabilities = data.at("probabilities").toDoubleVector();
    const std::vector<int64_t> seeds = data.at("seeds").toIntVector();
    const c10::List<bool> has_trained_bias = data.at("has_trained_bias").toBoolList();
    const int64_t blocksize = data.at("blocksize").toInt();
    const at::ScalarType compute = data.at("compute").toScalarType();
    const size_t n = scalings.size(), parts = blocksize == 0 ? 1 : kParts4bit;
    const at::Tensor& input = saved[0];

    std::vector<LoraLayer> layers;
    std::vector<LoraGradients> wanted;
    variable_list for_biases;
    for (size_t i = 0; i < n; ++i) {
      const at::Tensor* const own = &saved[1 + i * (3 + parts)];
      const at::TensorList weight(own + 3, parts);
      const int64_t out = own[2].size(0), in = own[1].size(1);
      layers.push_back({blocksize == 0 ? BaseWeight(weight[0]) : BaseWeight(weight, out, in, blocksize, compute),
                        at::Tensor(), own[1], own[2], scalings[i],
                        Dropout{probabilities[i], static_cast<uint64_t>(seeds[i])}});
      wanted.push_back(
          {as_matrix(gradients[i]), own[0], context->needs_input_grad(1 + i), context->needs_input_grad(1 + n + i)});
      if (has_trained_bias[i]) {
        for_biases.push_back(as_matrix(gradients[i]).sum(0));
      }
    }
    const at::Tensor for_input = lora_backward(as_matrix(input), layers, wanted, context->needs_input_grad(0), compute);

    variable_list result{for_input.defined() ? for_input.view(input.sizes()) : at::Tensor()};
    for (const LoraGradients& gradient : wanted) {
      result.push_back(gradient.for_a);
    }
    for (const LoraGradients& gradient : wanted) {
      result.push_back(gradient.for_b);
    }
    result.insert(result.end(), for_biases.begin(), for_biases.end());
    result.emplace_back();
    return result;
  }
};

std::vector<at::Tensor> with_autograd(const Call& call) {
  if (!fused(call)) {
    return composite(call);
  }
  variable_list trained_biases;
  bool differentiable = needs_gradient({call.input});
  for (size_t i = 0; i < call.layers(); ++i) {
    differentiable = differentiable || needs_gradient({call.lora_a[i], call.lora_b[i], call.bias(i)});
    if (call.bias(i).defined() && call.bias(i).requires_grad()) {
      trained_biases.push_back(call.bias(i));
    }
  }
  if (differentiable) {
    return LoraLinear::apply(call.input, call.lora_a, call.lora_b, at::TensorList(trained_biases), call);
  }
  at::AutoDispatchBelowADInplaceOrView below;
  return forward(call);
}

// Makes the dispatcher's function of one that takes a Call.
template <std::vector<at::Tensor> (*body)(const Call&)>
std::vector<at::Tensor> unpacked(const at::Tensor& input, const OptionalTensors& weights, const OptionalTensors& biases,
                                 at::TensorList lora_a, at::TensorList lora_b, at::ArrayRef<double> scalings,
                                 at::ArrayRef<double> dropouts, int64_t blocksize,
                                 std::optional<at::ScalarType> compute) {
  return body(
      {input, weights, biases, lora_a, lora_b, scalings, dropouts, blocksize, compute.value_or(input.scalar_type())});
}

OptionalTensors autocast_all(const OptionalTensors& tensors, at::DeviceType device) {
  OptionalTensors cast;
  for (size_t i = 0; i < tensors.size(); ++i) {
    cast.push_back(autocast(tensors.get(i), device));
  }
  return cast;
}

template <at::DeviceType device>
std::vector<at::Tensor> with_autocast(const at::Tensor& input, const OptionalTensors& weights,
                                      const OptionalTensors& biases, at::TensorList lora_a, at::TensorList lora_b,
                                      at::ArrayRef<double> scalings, at::ArrayRef<double> dropouts, int64_t blocksize,
                                      std::optional<at::ScalarType>) {
  AutocastExcluded guard(device);
  return lora_linear(autocast(input, device), blocksize == 0 ? autocast_all(weights, device) : weights,
                     autocast_all(biases, device), lora_a, lora_b, scalings, dropouts, blocksize,
                     at::autocast::get_autocast_dtype(device));
}

}  // namespace

std::vector<at::Tensor> lora_linear(const at::Tensor& input, const OptionalTensors& weights,
                                    const OptionalTensors& biases, at::TensorList lora_a, at::TensorList lora_b,
                                    at::ArrayRef<double> scalings, at::ArrayRef<double> dropouts, int64_t blocksize,
                                    std::optional<at::ScalarType> compute_dtype) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("panatune::lora_linear", "").typed<decltype(lora_linear)>();
  return op.call(input, weights, biases, lora_a, lora_b, scalings, dropouts, blocksize, compute_dtype);
}

}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def(
      "lora_linear(Tensor input, Tensor?[] weights, Tensor?[] biases, Tensor[] lora_a, Tensor[] lora_b, "
      "float[] scalings, float[] dropouts, int blocksize=0, ScalarType? compute_dtype=None) -> Tensor[]");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("lora_linear", panatune::unpacked<panatune::forward>); }
TORCH_LIBRARY_IMPL(panatune, AutogradCPU, m) { m.impl("lora_linear", panatune::unpacked<panatune::with_autograd>); }
TORCH_LIBRARY_IMPL(panatune, CompositeImplicitAutograd, m) {
  m.impl("lora_linear", panatune::unpacked<panatune::composite>);
}
TORCH_LIBRARY_IMPL(panatune, AutocastCPU, m) { m.impl("lora_linear", panatune::with_autocast<at::kCPU>); }
TORCH_LIBRARY_IMPL(panatune, AutocastCUDA, m) { m.impl("lora_linear", panatune::with_autocast<at::kCUDA>); }
