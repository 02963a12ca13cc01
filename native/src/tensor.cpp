// Tensors as handles: metadata, borrowed memory, release.
#include <ATen/ops/from_blob.h>

#include "abi.h"

namespace panatune {

std::atomic<int64_t> live_handles{0};

namespace {

int32_t flags_of(const c10::TensorImpl& tensor) {
  int32_t flags = 0;
  if (tensor.requires_grad()) {
    flags |= PT_FLAG_REQUIRES_GRAD;
  }
  if (tensor.is_contiguous()) {
    flags |= PT_FLAG_CONTIGUOUS;
  }
  return flags;
}

void lower(int64_t* borrows) { std::atomic_ref<int64_t>(*borrows).fetch_sub(1, std::memory_order_release); }

}  // namespace
}  // namespace panatune

using namespace panatune;

int32_t pt_tensor_metadata(pt_tensor handle, pt_metadata* metadata, pt_error* error) {
  return protect(error, [&] {
    TORCH_CHECK_VALUE(handle != nullptr, "a tensor handle is NULL");
    // No reference is taken: the handle has one for as long as this call lasts.
    auto* impl = reinterpret_cast<c10::TensorImpl*>(handle);
    auto dims = impl->dim();
    TORCH_CHECK_VALUE(dims <= PT_MAX_DIMS, "a tensor of ", dims, " dimensions: at most ", PT_MAX_DIMS,
                      " are supported");
    auto sizes = impl->sizes();
    auto strides = impl->strides();
    std::copy(sizes.begin(), sizes.end(), metadata->sizes);
    std::copy(strides.begin(), strides.end(), metadata->strides);
    metadata->numel = impl->numel();
    bool on_cpu = impl->device_type() == c10::kCPU;
    metadata->data = on_cpu && impl->has_storage() ? const_cast<void*>(impl->data()) : nullptr;
    metadata->storage_bytes = impl->has_storage() ? static_cast<int64_t>(impl->storage().nbytes()) : 0;
    metadata->dims = static_cast<int32_t>(dims);
    metadata->dtype = static_cast<int32_t>(c10::typeMetaToScalarType(impl->dtype()));
    metadata->device_type = static_cast<int32_t>(impl->device_type());
    metadata->device_index = impl->device().index();
    metadata->flags = flags_of(*impl);
    auto* autograd = impl->autograd_meta();
    if (autograd == nullptr || borrow(handle).is_leaf()) {
      metadata->flags |= PT_FLAG_LEAF;
    }
  });
}

int32_t pt_tensor_from_memory(void* data, const int64_t* sizes, int32_t dims, int32_t dtype, int64_t* borrows,
                              pt_tensor* result, pt_error* error) {
  return protect(error, [&] {
    std::atomic_ref<int64_t>(*borrows).fetch_add(1, std::memory_order_relaxed);
    try {
      *result = give(at::from_blob(
          data, at::IntArrayRef(sizes, dims), [borrows](void*) { lower(borrows); },
          at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype))));
    } catch (...) {
      lower(borrows);
      throw;
    }
  });
}

int32_t pt_tensor_share(pt_tensor tensor, pt_tensor* result, pt_error* error) {
  return protect(error, [&] { *result = give(borrow(tensor)); });
}

int32_t pt_tensors_free(const pt_tensor* tensors, int32_t n, pt_error* error) {
  return protect(error, [&] {
    int64_t freed = 0;
    for (int32_t i = 0; i < n; i++) {
      if (tensors[i] != nullptr) {
        c10::intrusive_ptr<c10::TensorImpl>::reclaim(reinterpret_cast<c10::TensorImpl*>(tensors[i]));
        freed++;
      }
    }
    live_handles.fetch_sub(freed, std::memory_order_relaxed);
  });
}
