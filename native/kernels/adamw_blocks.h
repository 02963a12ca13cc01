// What the optimizers' updates share: clipping, and the blocks that parameters are updated in.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace panatune {

// Elements of a block: a multiple of bitsandbytes' blocks of 256.
constexpr int64_t kUpdateBlock = 4096;

// The elements [begin, end) of tensor `tensor`.
struct Block {
  size_t tensor;
  int64_t begin, end;
};

// Dense fp32 gradients of an update, in blocks. Sums of squares go by blocks of a fixed size, so the norm has the same
// bits for any number of threads.
struct ClippedGradients {
  std::vector<at::Tensor> dense;
  std::vector<Block> blocks;
  double norm;    // of all of them together, each multiplied by scale
  double factor;  // scale, and what clipping leaves

  ClippedGradients(at::TensorList gradients, double scale, double max_norm);

  const float* of(const Block& block) const { return dense[block.tensor].const_data_ptr<float>() + block.begin; }
};

// The same norm by plain operations, on any device.
double plain_norm_of(at::TensorList gradients, double scale);

// What gradients of this norm are multiplied by, as torch.nn.utils.clip_grad_norm_ does; max_norm 0 for no limit.
double clip_factor(double norm, double max_norm);

}  // namespace panatune
