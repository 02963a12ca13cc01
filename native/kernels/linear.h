// panatune::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor
//
// input [..., in] times weight [out, in] transposed, plus bias [out]: [..., out] in input's dtype, as
// at::linear. A weight without requires_grad makes it save nothing of the input and never form the
// weight's gradient. On a CPU where bf16 or fp16 GEMMs are slow the product runs in fp32 scratch and
// is rounded once (gemm.h). Autocast casts all three to the autocast dtype. Composite elsewhere.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace panatune {

at::Tensor linear(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias);

}  // namespace panatune
