// Calls of the commonest operators without boxes.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <variant>

#include "panatune.h"

namespace panatune {

// A functional operator that makes one tensor of one or two, with its C++ signature; or no such operator. It is some
// 15 % quicker for small tensors than the boxed call.
class TypedCall {
 public:
  TypedCall() = default;
  // Of a functional operator, whatever its schema.
  explicit TypedCall(const c10::OperatorHandle& op);

  // The result; empty where this call has to be boxed.
  std::optional<at::Tensor> operator()(const pt_value* arguments, int32_t n) const;

 private:
  using Unary = c10::TypedOperatorHandle<at::Tensor(const at::Tensor&)>;
  using Binary = c10::TypedOperatorHandle<at::Tensor(const at::Tensor&, const at::Tensor&)>;
  using BinaryWithAlpha = c10::TypedOperatorHandle<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Scalar&)>;

  std::variant<std::monostate, Unary, Binary, BinaryWithAlpha> op_;
};

}  // namespace panatune
