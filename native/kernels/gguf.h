// panatune::dequantize_gguf(Tensor blocks, int ggml_type, int[] shape, ScalarType dtype) -> Tensor
//
// blocks: uint8, contiguous, the bytes of one tensor as a GGUF file stores them; ggml_type: the number of its type in
// the file; shape: outermost first, its last dimension a multiple of the type's block. Returns a new tensor of that
// shape. In fp32 it equals the `gguf` Python package's dequantisation bit for bit (so this file is compiled with
// -ffp-contract=off); bf16, fp16 and fp64 are that, rounded. CPU only: files are mapped on the CPU.
#pragma once

#include <ATen/core/Tensor.h>

namespace panatune {

at::Tensor dequantize_gguf(const at::Tensor& blocks, int64_t ggml_type, at::IntArrayRef shape, at::ScalarType dtype);

}  // namespace panatune
