// Dropout whose mask is a function of one number and the element's place, so that it is made anew where it is needed
// again and never stored. The number comes from the CPU generator: what restores the generator's state (a checkpointed
// layer, a resumed run) restores the mask.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace panatune {

struct Dropout {
  double probability = 0;
  uint64_t seed = 0;

  // Draws the number, unless nothing is to be dropped.
  static Dropout draw(double probability);

  bool active() const { return probability > 0; }

  // matrix [rows, columns] on the CPU with what is dropped zeroed and the rest scaled by 1 / (1 - p), in `dtype`.
  at::Tensor apply(const at::Tensor& matrix, at::ScalarType dtype) const;

  // sum += update, dropped and scaled as apply's matrix was; all of one shape [rows, columns].
  void add_masked(const at::Tensor& sum, const at::Tensor& update) const;
};

}  // namespace panatune
