// panatune::linear_cross_entropy(Tensor hidden, Tensor weight, Tensor targets, int chunk_rows=512, float scale=1,
//                                float soft_cap=0) -> (Tensor loss_sum, Tensor correct)
//
// The output head and the cross-entropy in one: hidden [N, H] times weight [V, H] transposed, against targets
// [N] int64 in [0, V). Each logit is multiplied by `scale` (Cohere, Granite) and then, where soft_cap is not 0,
// becomes soft_cap tanh(logit / soft_cap) (Gemma 2, arXiv:2408.00118). `loss_sum` is the fp32 sum of the rows' losses
// in nats, `correct` the int64 count of rows whose first largest logit is the target's. Logits exist for `chunk_rows`
// rows at a time, rounded to hidden's dtype as a plain head would; scale, cap, softmax and loss are fp32. When hidden
// or weight require a gradient, it is formed chunk by chunk in the forward pass, kept in fp32, and only scaled and
// rounded in the backward pass. Autocast casts hidden and weight.
#pragma once

#include <ATen/core/Tensor.h>

#include <tuple>

namespace panatune {

std::tuple<at::Tensor, at::Tensor> linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight,
                                                        const at::Tensor& targets, int64_t chunk_rows, double scale,
                                                        double soft_cap);

}  // namespace panatune
