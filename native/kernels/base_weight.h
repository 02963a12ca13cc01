// The frozen weight of a linear layer on the CPU, dense or in 4 bits, read a rectangle at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <variant>

#include "quant4.h"
#include "row_product.h"

namespace panatune {

class BaseWeight {
 public:
  // weight [out, in].
  explicit BaseWeight(const at::Tensor& weight);

  // packed, absmax, nested_code, nested_absmax, nested_offset and code (see linear4bit.h) of a weight
  // [rows, cols], whose values are rounded to `compute`.
  BaseWeight(at::TensorList parts, int64_t rows, int64_t cols, int64_t blocksize, at::ScalarType compute);

  // The weight as it is, where it is dense; undefined where it must be decoded.
  at::Tensor dense() const;

  // Writes the rows [row, row + n) and columns [column, column + m) to `out` [n, m], whose rows may be apart: of any
  // floating dtype for a dense weight, else float or the compute type.
  void read(int64_t row, int64_t column, const at::Tensor& out) const;

  // What reads runs of rows in fp32, of a weight that is not in fp64; it goes on without this object.
  RowReader rows() const;

 private:
  struct Decoded {
    at::Tensor packed, scales, table;  // what `source` looks at
    int64_t cols;
    at::ScalarType compute;
    Packed4bit source;
  };

  std::variant<at::Tensor, Decoded> weight_;
};

}  // namespace panatune
