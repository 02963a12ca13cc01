#include "adamw_blocks.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "simd.h"

namespace panatune {
namespace {

// As in torch.nn.utils.clip_grad_norm_: keeps a norm of zero from dividing by zero.
constexpr double kClipEpsilon = 1e-6;

struct SumOfSquares {
  template <int W>
  PANATUNE_INLINE static void run(const float* values, int64_t count, double* sum) {
    simd::F32<W> sums = {};
    for (int64_t i = 0; i < count; i += W) {
      const simd::F32<W> value = simd::load<W>(values + i, count - i);
      sums += value * value;
    }
    double total = 0;
    for (int i = 0; i < W; ++i) {
      total += sums[i];
    }
    *sum = total;
  }
};

std::vector<Block> blocks_of(at::TensorList tensors) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t count = tensors[i].numel();
    for (int64_t from = 0; from < count; from += kUpdateBlock) {
      blocks.push_back({i, from, std::min(count, from + kUpdateBlock)});
    }
  }
  return blocks;
}

double norm_of(const ClippedGradients& gradients) {
  const std::vector<Block>& blocks = gradients.blocks;
  std::vector<double> sums(blocks.size());
  at::parallel_for(0, static_cast<int64_t>(blocks.size()), 4, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      simd::dispatch<SumOfSquares>(gradients.of(blocks[b]), blocks[b].end - blocks[b].begin, &sums[b]);
    }
  });
  double total = 0;
  for (const double sum : sums) {
    total += sum;
  }
  return std::sqrt(total);
}

}  // namespace

ClippedGradients::ClippedGradients(at::TensorList gradients, double scale, double max_norm) {
  for (const at::Tensor& gradient : gradients) {
    dense.push_back(gradient.contiguous());
  }
  blocks = blocks_of(dense);
  norm = norm_of(*this) * std::abs(scale);
  factor = scale * clip_factor(norm, max_norm);
}

double plain_norm_of(at::TensorList gradients, double scale) {
  const at::Tensor norms = at::stack(at::_foreach_norm(gradients, 2));
  return at::linalg_vector_norm(norms, 2).item<double>() * std::abs(scale);
}

double clip_factor(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + kClipEpsilon)) : 1.0;
}

}  // namespace panatune
