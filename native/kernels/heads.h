// [B, H, T, D] tensors, one row a head and position, as the kernels walk them.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

namespace panatune {

// Where the rows of a tensor lie. T is const where it is read only.
template <class T>
struct Rows {
  T* data;
  int64_t batch, head, row;

  explicit Rows(const at::Tensor& tensor)
      : data(static_cast<T*>(tensor.data_ptr())),
        batch(tensor.stride(0)),
        head(tensor.stride(1)),
        row(tensor.stride(2)) {}

  T* at(int64_t b, int64_t h, int64_t t) const { return data + b * batch + h * head + t * row; }
};

// An empty tensor of this one's shape that lies in memory as [B, T, H, D]: heads are joined without a copy.
inline at::Tensor empty_joinable(const at::Tensor& tensor) {
  return at::empty({tensor.size(0), tensor.size(2), tensor.size(1), tensor.size(3)}, tensor.options()).transpose(1, 2);
}

inline at::Tensor dense_rows(const at::Tensor& tensor) { return tensor.stride(3) == 1 ? tensor : tensor.contiguous(); }

}  // namespace panatune
