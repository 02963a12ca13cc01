#include "few_rows4.h"

#include <bit>

#include "quant4.h"

namespace panatune {
namespace {

void check(bool holds, const char* what, const at::Tensor& tensor, const char* dtype, int64_t count) {
  TORCH_CHECK(holds && tensor.is_contiguous() && tensor.is_cpu() && tensor.numel() == count, "a 4-bit weight's ", what,
              " is ", tensor.scalar_type(), " ", tensor.sizes(), " on ", tensor.device(), ", but must be ", dtype,
              " of ", count, " elements, contiguous, on the CPU");
}

}  // namespace

Weight4 view_weight4(const at::Tensor& packed, const at::Tensor& absmax, const std::optional<at::Tensor>& nested_code,
                     const std::optional<at::Tensor>& nested_absmax, const std::optional<at::Tensor>& nested_offset,
                     const at::Tensor& code, int64_t rows, int64_t cols, int64_t blocksize) {
  check_blocksize_4bit(blocksize);
  TORCH_INTERNAL_ASSERT(Weight4::fits(cols, blocksize));
  const int64_t count = rows * cols, blocks = (count + blocksize - 1) / blocksize;
  check(packed.scalar_type() == at::kByte, "codes", packed, "uint8", count / 2);
  check(code.scalar_type() == at::kFloat, "table", code, "float32", kCodes4);
  Weight4 weight{};
  weight.codes = packed.const_data_ptr<uint8_t>();
  weight.table = code.const_data_ptr<float>();
  weight.block_bits = std::countr_zero(static_cast<uint64_t>(blocksize));
  weight.cols = cols;
  if (absmax.scalar_type() != at::kByte) {
    TORCH_CHECK(!nested_code && !nested_absmax && !nested_offset, "scales of type ", absmax.scalar_type(),
                " are not nested, yet nested parts were given");
    check(absmax.scalar_type() == at::kFloat, "scales", absmax, "float32", blocks);
    weight.absmax = absmax.const_data_ptr<float>();
    return weight;
  }
  TORCH_CHECK(nested_code && nested_absmax && nested_offset,
              "scales of type uint8 are nested: nested_code, nested_absmax and nested_offset are needed");
  check(true, "scales", absmax, "uint8", blocks);
  check(nested_code->scalar_type() == at::kFloat, "nested_code", *nested_code, "float32", 256);
  check(nested_absmax->scalar_type() == at::kFloat, "nested_absmax", *nested_absmax, "float32",
        (blocks + kNestedBlocksize - 1) / kNestedBlocksize);
  check(nested_offset->scalar_type() == at::kFloat, "nested_offset", *nested_offset, "float32", 1);
  weight.nested_absmax = absmax.const_data_ptr<uint8_t>();
  weight.nested_code = nested_code->const_data_ptr<float>();
  weight.nested_scale = nested_absmax->const_data_ptr<float>();
  weight.nested_offset = *nested_offset->const_data_ptr<float>();
  return weight;
}

}  // namespace panatune
