// panatune::lora_linear(Tensor input, Tensor?[] weights, Tensor?[] biases, Tensor[] lora_a, Tensor[] lora_b,
//                       float[] scalings, float[] dropouts, int blocksize=0, ScalarType? compute_dtype=None) ->
//                       Tensor[]
//
// One or more linear layers on the same input [..., in], each with a low-rank update (LoRA, arXiv:2106.09685):
//   y_i = input W_i^T + b_i + scaling_i * dropout_i(input) A_i^T B_i^T
// W_i [out_i, in] is frozen, A_i [r_i, in] and B_i [out_i, r_i] are masters of any floating dtype, b_i [out_i] or none.
// weights holds a tensor a layer, of input's dtype; or, where blocksize is not 0, the six parts of a 4-bit weight a
// layer (packed, absmax, nested_code, nested_absmax, nested_offset, code: see linear4bit.h), and compute_dtype is the
// type to compute in. The results [..., out_i] have input's dtype. Autocast casts input, dense weights and biases to
// its dtype, and computes in it; A and B are never cast there.
//
// Sums run in fp32, and each result is rounded once where the product is formed in fp32 scratch (gemm.h), with the
// update folded in as further columns of the product. The backward pass keeps the input once for all layers and
// [rows, r_i] a layer; the input's gradient is one sum over all layers; the weight's is never formed, and a weight that
// asks for one takes the composite. Dropout draws one number a layer from the CPU generator, and its mask is made of
// that number anew in the backward pass (dropout.h). Composite elsewhere.
#pragma once

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

namespace panatune {

std::vector<at::Tensor> lora_linear(const at::Tensor& input, const c10::List<std::optional<at::Tensor>>& weights,
                                    const c10::List<std::optional<at::Tensor>>& biases, at::TensorList lora_a,
                                    at::TensorList lora_b, at::ArrayRef<double> scalings, at::ArrayRef<double> dropouts,
                                    int64_t blocksize, std::optional<at::ScalarType> compute_dtype);

}  // namespace panatune
