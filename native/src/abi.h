// What every chapter of the shim shares: handles, and the one place where exceptions end.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>

#include "panatune.h"

namespace panatune {

// Tensors given away and not yet freed, over all threads.
extern std::atomic<int64_t> live_handles;

// A handle is the tensor's own implementation with one reference: no allocation of ours per tensor.
inline at::Tensor borrow(pt_tensor handle) {
  TORCH_CHECK_VALUE(handle != nullptr, "a tensor handle is NULL");
  return at::Tensor(c10::intrusive_ptr<c10::TensorImpl>::reclaim_copy(reinterpret_cast<c10::TensorImpl*>(handle)));
}

inline at::Tensor borrow_or_undefined(pt_tensor handle) { return handle == nullptr ? at::Tensor() : borrow(handle); }

inline pt_tensor give(at::Tensor tensor) {
  if (!tensor.defined()) {
    return nullptr;
  }
  live_handles.fetch_add(1, std::memory_order_relaxed);
  return reinterpret_cast<pt_tensor>(tensor.unsafeReleaseTensorImpl());
}

// A file could not be opened, read or mapped.
struct io_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline int32_t report(pt_error* error, int32_t kind, const char* message) noexcept {
  if (error != nullptr) {
    error->kind = kind;
    size_t length = std::min(std::strlen(message), sizeof(error->message) - 1);
    std::memcpy(error->message, message, length);
    error->message[length] = '\0';
    error->length = static_cast<int32_t>(length);
  }
  return kind;
}

// Runs the body of an ABI function; whatever it throws becomes a code and a message.
template <typename Body>
int32_t protect(pt_error* error, Body&& body) noexcept {
  try {
    body();
    return PT_OK;
  } catch (const c10::OutOfMemoryError& e) {
    return report(error, PT_ERROR_MEMORY, e.what_without_backtrace());
  } catch (const c10::ValueError& e) {
    return report(error, PT_ERROR_ARGUMENT, e.what_without_backtrace());
  } catch (const c10::Error& e) {
    return report(error, PT_ERROR_TORCH, e.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return report(error, PT_ERROR_MEMORY, "out of memory");
  } catch (const io_error& e) {
    return report(error, PT_ERROR_IO, e.what());
  } catch (const std::exception& e) {
    return report(error, PT_ERROR_UNKNOWN, e.what());
  } catch (...) {
    return report(error, PT_ERROR_UNKNOWN, "an exception that is not a std::exception");
  }
}

}  // namespace panatune
