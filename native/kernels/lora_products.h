// The products of linear layers with low-rank updates on one input, on the CPU (lora_linear.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "base_weight.h"
#include "dropout.h"

namespace panatune {

struct LoraLayer {
  BaseWeight weight;
  at::Tensor bias;  // undefined for none
  at::Tensor a, b;
  double scaling;
  Dropout dropout;
};

struct LoraResults {
  std::vector<at::Tensor> outputs;  // [rows, out], in the input's dtype
  std::vector<at::Tensor> inner;    // dropout(input) A^T [rows, r], in the compute type: what B's gradient needs
};

// One layer's part of the backward pass.
struct LoraGradients {
  at::Tensor output;  // the gradient of the layer's output [rows, out]
  at::Tensor inner;   // as lora_forward gave it
  bool wants_a, wants_b;
  at::Tensor for_a = {}, for_b = {};  // the results, in the masters' dtype
};

// input [rows, in].
LoraResults lora_forward(const at::Tensor& input, const std::vector<LoraLayer>& layers, at::ScalarType compute);

// Fills in for_a and for_b; returns the gradient of input, or an undefined tensor where it is not wanted.
at::Tensor lora_backward(const at::Tensor& input, const std::vector<LoraLayer>& layers,
                         std::vector<LoraGradients>& gradients, bool wants_input, at::ScalarType compute);

}  // namespace panatune
