// panatune::causal_attention(Tensor query, Tensor key, Tensor value, float scale, Tensor? first_keys=None,
//                            int window=0, float soft_cap=0) -> Tensor
//
// query [B, Hq, T, D], key and value [B, Hkv, S, D] with Hq a multiple of Hkv and S >= T: query head h
// attends with key head h / (Hq / Hkv), and query row i sees the keys up to S - T + i: from 0 on; from
// first_keys[b, i] on (int64 [B or 1, T], never falling: texts that are packed into one row do not see each
// other); and, where window is not 0, the last `window` of them. Products are multiplied by scale and, where
// soft_cap is not 0, become soft_cap tanh(product / soft_cap) (Gemma 2, arXiv:2408.00118). To [B, Hq, T, D] in
// query's dtype, in memory [B, T, Hq, D], so that the heads can be joined without a copy.
//
// On the CPU everything inside is fp32, memory is linear in T and S, blocks of keys that none of some query rows
// sees are left out, and the backward pass keeps query, key, value and one fp32 number a query row.
// Composite: scaled_dot_product_attention, or plain products under a soft cap.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace panatune {

at::Tensor causal_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, double scale,
                            const std::optional<at::Tensor>& first_keys, int64_t window, double soft_cap);

}  // namespace panatune
