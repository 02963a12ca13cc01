// Gradients, grad mode and autocast.
#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "abi.h"

using namespace panatune;

namespace {

std::vector<at::Tensor> borrow_all(const pt_tensor* handles, int32_t n) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(n);
  for (int32_t i = 0; i < n; i++) {
    tensors.push_back(borrow(handles[i]));
  }
  return tensors;
}

std::vector<at::Tensor> borrow_gradients(const pt_tensor* handles, int32_t n) {
  std::vector<at::Tensor> tensors;
  if (handles != nullptr) {
    tensors.reserve(n);
    for (int32_t i = 0; i < n; i++) {
      tensors.push_back(borrow_or_undefined(handles[i]));
    }
  }
  return tensors;
}

}  // namespace

int32_t pt_grad_mode_set(int32_t enabled, int32_t* previous, pt_error* error) {
  return protect(error, [&] {
    *previous = c10::GradMode::is_enabled() ? 1 : 0;
    c10::GradMode::set_enabled(enabled != 0);
  });
}

int32_t pt_grad_mode_get(int32_t* enabled, pt_error* error) {
  return protect(error, [&] { *enabled = c10::GradMode::is_enabled() ? 1 : 0; });
}

int32_t pt_requires_grad_set(pt_tensor tensor, int32_t requires_grad, pt_error* error) {
  return protect(error, [&] {
    auto borrowed = borrow(tensor);
    TORCH_CHECK_VALUE(!requires_grad || at::isFloatingType(borrowed.scalar_type()),
                      "only floating-point tensors can require gradients, not ", borrowed.scalar_type());
    borrowed.requires_grad_(requires_grad != 0);
  });
}

int32_t pt_grad_get(pt_tensor tensor, pt_tensor* grad, pt_error* error) {
  return protect(error, [&] { *grad = give(borrow(tensor).grad()); });
}

int32_t pt_grad_set(pt_tensor tensor, pt_tensor grad, pt_error* error) {
  return protect(error, [&] { borrow(tensor).mutable_grad() = borrow_or_undefined(grad); });
}

int32_t pt_backward(const pt_tensor* outputs, const pt_tensor* gradients, int32_t n, int32_t retain_graph,
                    pt_error* error) {
  return protect(error, [&] {
    torch::autograd::backward(borrow_all(outputs, n), borrow_gradients(gradients, n), retain_graph != 0);
  });
}

int32_t pt_grad(const pt_tensor* outputs, const pt_tensor* gradients, int32_t n_outputs, const pt_tensor* inputs,
                int32_t n_inputs, int32_t retain_graph, int32_t allow_unused, pt_tensor* results, pt_error* error) {
  return protect(error, [&] {
    auto found =
        torch::autograd::grad(borrow_all(outputs, n_outputs), borrow_all(inputs, n_inputs),
                              borrow_gradients(gradients, n_outputs), retain_graph != 0, false, allow_unused != 0);
    for (int32_t i = 0; i < n_inputs; i++) {
      results[i] = give(found[i]);
    }
  });
}

int32_t pt_autocast_enter(const pt_autocast* wanted, pt_autocast* previous, pt_error* error) {
  return protect(error, [&] {
    auto device = static_cast<at::DeviceType>(wanted->device_type);
    TORCH_CHECK_VALUE(at::autocast::is_autocast_available(device), "no autocast on device type ", device);
    previous->device_type = wanted->device_type;
    previous->enabled = at::autocast::is_autocast_enabled(device) ? 1 : 0;
    previous->dtype = static_cast<int32_t>(at::autocast::get_autocast_dtype(device));
    previous->cache = at::autocast::is_autocast_cache_enabled() ? 1 : 0;
    at::autocast::set_autocast_enabled(device, wanted->enabled != 0);
    if (wanted->enabled != 0) {
      at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(wanted->dtype));
    }
    at::autocast::set_autocast_cache_enabled(wanted->cache != 0);
    at::autocast::increment_nesting();
  });
}

int32_t pt_autocast_exit(const pt_autocast* previous, pt_error* error) {
  return protect(error, [&] {
    auto device = static_cast<at::DeviceType>(previous->device_type);
    // The cache of cast weights is of use inside the outermost block alone.
    if (at::autocast::decrement_nesting() == 0) {
      at::autocast::clear_cache();
    }
    at::autocast::set_autocast_enabled(device, previous->enabled != 0);
    at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(previous->dtype));
    at::autocast::set_autocast_cache_enabled(previous->cache != 0);
  });
}

int32_t pt_autocast_get(int32_t device_type, int32_t* enabled, pt_error* error) {
  return protect(
      error, [&] { *enabled = at::autocast::is_autocast_enabled(static_cast<at::DeviceType>(device_type)) ? 1 : 0; });
}
