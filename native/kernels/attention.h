// panatune::causal_attention(Tensor query, Tensor key, Tensor value, float scale) -> Tensor
//
// query [B, Hq, T, D], key and value [B, Hkv, S, D] with Hq a multiple of Hkv and S >= T: query head h
// attends with key head h / (Hq / Hkv), and query row i sees the keys 0 to S - T + i. To [B, Hq, T, D] in
// query's dtype, in memory [B, T, Hq, D], so that the heads can be joined without a copy.
//
// On the CPU everything inside is fp32, memory is linear in T and S, and the backward pass keeps query,
// key, value, the output and one fp32 number a query row. Composite: scaled_dot_product_attention.
#pragma once

#include <ATen/core/Tensor.h>

namespace panatune {

at::Tensor causal_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, double scale);

}  // namespace panatune
