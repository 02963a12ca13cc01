// What the operators' autograd and autocast kernels share.
#pragma once

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <initializer_list>
#include <optional>

namespace panatune {

// Whether a backward pass through an operator with these inputs will be asked for.
inline bool needs_gradient(std::initializer_list<at::Tensor> inputs) {
  if (!at::GradMode::is_enabled()) {
    return false;
  }
  for (const at::Tensor& input : inputs) {
    if (input.defined() && input.requires_grad()) {
      return true;
    }
  }
  return false;
}

// Autocast: floating tensors of up to fp32 in the autocast dtype of `device`, others as they are.
inline at::Tensor autocast(const at::Tensor& tensor, at::DeviceType device) {
  return at::autocast::cached_cast(at::autocast::get_autocast_dtype(device), tensor, device);
}

inline std::optional<at::Tensor> autocast(const std::optional<at::Tensor>& tensor, at::DeviceType device) {
  return tensor ? std::optional<at::Tensor>(autocast(*tensor, device)) : std::nullopt;
}

// Keeps autocast from being applied again below.
class AutocastExcluded {
 public:
  explicit AutocastExcluded(at::DeviceType device)
      : guard_(c10::DispatchKeySet(at::autocast::get_autocast_dispatch_key_from_device_type(device))) {}

 private:
  c10::impl::ExcludeDispatchKeyGuard guard_;
};

}  // namespace panatune
