#include "typed_call.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/jit_type.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <initializer_list>

namespace panatune {
namespace {

// A tensor of the caller's for the length of a call: its count of references stays as it is.
class Borrowed {
 public:
  explicit Borrowed(pt_tensor handle)
      : tensor_(c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(
            reinterpret_cast<c10::TensorImpl*>(handle))) {}
  ~Borrowed() { tensor_.unsafeReleaseTensorImpl(); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

  operator const at::Tensor&() const { return tensor_; }

 private:
  at::Tensor tensor_;
};

bool has_types(const std::vector<c10::Argument>& arguments, std::initializer_list<c10::TypeKind> kinds) {
  return std::ranges::equal(arguments, kinds, {},
                            [](const c10::Argument& argument) { return argument.type()->kind(); });
}

}  // namespace

TypedCall::TypedCall(const c10::OperatorHandle& op) {
  using enum c10::TypeKind;
  const auto& arguments = op.schema().arguments();
  if (!has_types(op.schema().returns(), {TensorType})) {
    return;
  }
  if (has_types(arguments, {TensorType})) {
    op_ = op.typed<at::Tensor(const at::Tensor&)>();
  } else if (has_types(arguments, {TensorType, TensorType})) {
    op_ = op.typed<at::Tensor(const at::Tensor&, const at::Tensor&)>();
  } else if (has_types(arguments, {TensorType, TensorType, NumberType}) &&
             arguments[2].default_value() == c10::IValue(1)) {
    op_ = op.typed<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Scalar&)>();
  }
}

std::optional<at::Tensor> TypedCall::operator()(const pt_value* arguments, int32_t n) const {
  const auto* unary = std::get_if<Unary>(&op_);
  if (std::holds_alternative<std::monostate>(op_) || n != (unary != nullptr ? 1 : 2)) {
    return std::nullopt;
  }
  bool differentiable = false;
  for (int32_t i = 0; i < n; i++) {
    if (arguments[i].tag != PT_TENSOR || arguments[i].as.tensor == nullptr) {
      return std::nullopt;
    }
    differentiable |= reinterpret_cast<c10::TensorImpl*>(arguments[i].as.tensor)->requires_grad();
  }
  std::optional<at::AutoDispatchBelowAutograd> below_autograd;
  if (!differentiable || !c10::GradMode::is_enabled()) {
    below_autograd.emplace();
  }
  const Borrowed first(arguments[0].as.tensor);
  if (unary != nullptr) {
    return unary->call(first);
  }
  const Borrowed second(arguments[1].as.tensor);
  if (const auto* binary = std::get_if<Binary>(&op_)) {
    return binary->call(first, second);
  }
  return std::get<BinaryWithAlpha>(op_).call(first, second, 1);
}

}  // namespace panatune
