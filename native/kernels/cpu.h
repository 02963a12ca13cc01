// Which code the kernels run on this CPU: a pure function of its features, the dtype and the overrides.
//
// Overrides come from the environment, read once, or from the operator panatune::set_cpu_kernels:
//   PANATUNE_ISA      auto | plain | avx2 | avx512   vector width of our own loops
//   PANATUNE_GEMM     auto | native | fp32           libtorch's bf16/fp16 GEMM, or fp32 scratch
//   PANATUNE_KERNELS  auto | fused | composite       our fused operators, or plain aten formulas
// An override that the CPU cannot run is an error, never ignored.
#pragma once

#include <c10/core/ScalarType.h>

#include <string>

namespace panatune {

enum class Isa { kPlain, kAvx2, kAvx512 };

// The vector instructions that our own loops use.
Isa isa();

// Whether libtorch's GEMM is fast for `dtype` here. Where it is not, matmul_compute goes through fp32.
bool fast_gemm(c10::ScalarType dtype);

// Whether a CPU tensor of `dtype` takes the fused kernels; fp64 always takes the plain formulas.
bool fused_kernels(c10::ScalarType dtype);

// The choices in words, for `doctor` and checkpoints: "isa=avx2 gemm.bf16=fp32 gemm.fp16=fp32 ...".
std::string cpu_kernels();

// Overrides for this process, as "key=value" words ("isa=plain gemm=fp32 kernels=composite"); keys
// that are not named go back to the environment's choice. For tests and `doctor`.
void set_cpu_kernels(const std::string& overrides);

}  // namespace panatune
