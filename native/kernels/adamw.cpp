// panatune::adamw_(Tensor(a!)[] parameters, Tensor[] gradients, Tensor(b!)[] first, Tensor(c!)[] second,
//                  float[] weight_decays, int step, float lr, float beta1, float beta2, float eps,
//                  float gradient_scale, float max_norm) -> Tensor
//
// One update of AdamW (decoupled weight decay, arXiv:1711.05101) of all parameters, as torch.optim.AdamW's update
// number `step`, counted from 1, after clip_grad_norm_: the gradients are multiplied by gradient_scale and, where
// max_norm is not 0, scaled down so that the norm of all of them together is at most max_norm. They are not written to.
// Returns that norm before clipping, a number; if it is not finite, nothing is updated.
//
// On the CPU parameters, moments and gradients are fp32. Sums of squares go by blocks of a fixed size and every element
// is updated on its own, so the result has the same bits for any number of threads. Composite elsewhere.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "adamw_blocks.h"
#include "cpu.h"
#include "simd.h"

namespace panatune {
namespace {

struct Update {
  at::TensorList parameters, gradients, first, second;
  at::ArrayRef<double> decays;
  int64_t step;
  double rate, beta1, beta2, epsilon, scale, max_norm;
};

void check(const Update& update) {
  const size_t n = update.parameters.size();
  TORCH_CHECK(update.gradients.size() == n && update.first.size() == n && update.second.size() == n &&
                  update.decays.size() == n,
              "panatune::adamw_: for ", n, " parameters come ", update.gradients.size(), " gradients, ",
              update.first.size(), " and ", update.second.size(), " moments and ", update.decays.size(), " decays");
  for (size_t i = 0; i < n; ++i) {
    const at::IntArrayRef shape = update.parameters[i].sizes();
    TORCH_CHECK(
        update.gradients[i].sizes() == shape && update.first[i].sizes() == shape && update.second[i].sizes() == shape,
        "panatune::adamw_: parameter ", i, " is ", shape, ", its gradient ", update.gradients[i].sizes(),
        " and its moments ", update.first[i].sizes(), " and ", update.second[i].sizes());
  }
  TORCH_CHECK(update.step >= 1, "panatune::adamw_: step is ", update.step, ", but is counted from 1");
}

struct Rates {
  float scale, beta1, rest1, beta2, rest2, root_correction, epsilon, step_size;

  Rates(const Update& update, double factor)
      : scale(static_cast<float>(factor)),
        beta1(static_cast<float>(update.beta1)),
        rest1(static_cast<float>(1 - update.beta1)),
        beta2(static_cast<float>(update.beta2)),
        rest2(static_cast<float>(1 - update.beta2)),
        root_correction(static_cast<float>(1 / std::sqrt(1 - std::pow(update.beta2, update.step)))),
        epsilon(static_cast<float>(update.epsilon)),
        step_size(static_cast<float>(update.rate / (1 - std::pow(update.beta1, update.step)))) {}
};

template <int W>
PANATUNE_INLINE simd::F32<W> root(const simd::F32<W>& x) {
  simd::F32<W> result;
  PANATUNE_UNROLL
  for (int i = 0; i < W; ++i) {
    result[i] = __builtin_sqrtf(x[i]);
  }
  return result;
}

struct UpdateBlock {
  float* parameter;
  const float* gradient;
  float* first;
  float* second;
  int64_t count;
  float kept;  // what weight decay leaves

  template <int W>
  PANATUNE_INLINE static void run(const UpdateBlock& block, const Rates& rates) {
    for (int64_t i = 0; i < block.count; i += W) {
      const int64_t left = block.count - i;
      const simd::F32<W> gradient = simd::load<W>(block.gradient + i, left) * rates.scale;
      const simd::F32<W> first = simd::load<W>(block.first + i, left) * rates.beta1 + gradient * rates.rest1;
      const simd::F32<W> second =
          simd::load<W>(block.second + i, left) * rates.beta2 + gradient * gradient * rates.rest2;
      const simd::F32<W> size = root<W>(second) * rates.root_correction + rates.epsilon;
      const simd::F32<W> parameter =
          simd::load<W>(block.parameter + i, left) * block.kept - first / size * rates.step_size;
      simd::store<W>(block.first + i, first, left);
      simd::store<W>(block.second + i, second, left);
      simd::store<W>(block.parameter + i, parameter, left);
    }
  }
};

// The plain operations, for other devices and types.
at::Tensor composite(const Update& update) {
  check(update);
  if (update.parameters.empty()) {
    return at::zeros({}, at::kDouble);
  }
  const double norm = plain_norm_of(update.gradients, update.scale);
  if (std::isfinite(norm)) {
    const double factor = update.scale * clip_factor(norm, update.max_norm);
    const std::vector<at::Tensor> gradients = at::_foreach_mul(update.gradients, factor);
    std::map<double, std::vector<size_t>> by_decay;
    for (size_t i = 0; i < update.decays.size(); ++i) {
      by_decay[update.decays[i]].push_back(i);
    }
    for (const auto& [decay, members] : by_decay) {
      std::vector<at::Tensor> parameters, scaled, first, second, steps;
      for (const size_t i : members) {
        parameters.push_back(update.parameters[i]);
        scaled.push_back(gradients[i]);
        first.push_back(update.first[i]);
        second.push_back(update.second[i]);
        steps.push_back(at::full({}, update.step, update.first[i].options().dtype(at::kFloat)));
      }
      at::_fused_adamw_(parameters, scaled, first, second, {}, steps, update.rate, update.beta1, update.beta2, decay,
                        update.epsilon, false, false);
    }
  }
  return at::full({}, norm, at::kDouble);
}

bool fused(const Update& update) {
  const auto known = [](const at::Tensor& tensor) { return tensor.scalar_type() == at::kFloat; };
  const auto dense = [&](const at::Tensor& tensor) { return known(tensor) && tensor.is_contiguous(); };
  return fused_kernels(at::kFloat) && std::all_of(update.parameters.begin(), update.parameters.end(), dense) &&
         std::all_of(update.first.begin(), update.first.end(), dense) &&
         std::all_of(update.second.begin(), update.second.end(), dense) &&
         std::all_of(update.gradients.begin(), update.gradients.end(), known);
}

at::Tensor on_cpu(const Update& update) {
  if (!fused(update)) {
    return composite(update);
  }
  check(update);
  const ClippedGradients gradients(update.gradients, update.scale, update.max_norm);
  if (std::isfinite(gradients.norm)) {
    const Rates rates(update, gradients.factor);
    const std::vector<Block>& blocks = gradients.blocks;
    at::parallel_for(0, static_cast<int64_t>(blocks.size()), 4, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const auto& [i, from, to] = blocks[b];
        simd::dispatch<UpdateBlock>(
            UpdateBlock{update.parameters[i].mutable_data_ptr<float>() + from, gradients.of(blocks[b]),
                        update.first[i].mutable_data_ptr<float>() + from,
                        update.second[i].mutable_data_ptr<float>() + from, to - from,
                        static_cast<float>(1 - update.rate * update.decays[i])},
            rates);
      }
    });
  }
  return at::full({}, gradients.norm, at::kDouble);
}

template <at::Tensor (*body)(const Update&)>
at::Tensor unpacked(at::TensorList parameters, at::TensorList gradients, at::TensorList first, at::TensorList second,
                    at::ArrayRef<double> decays, int64_t step, double rate, double beta1, double beta2, double epsilon,
                    double scale, double max_norm) {
  return body({parameters, gradients, first, second, decays, step, rate, beta1, beta2, epsilon, scale, max_norm});
}

}  // namespace
}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def(
      "adamw_(Tensor(a!)[] parameters, Tensor[] gradients, Tensor(b!)[] first, Tensor(c!)[] second, "
      "float[] weight_decays, int step, float lr, float beta1, float beta2, float eps, float gradient_scale, "
      "float max_norm) -> Tensor");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("adamw_", panatune::unpacked<panatune::on_cpu>); }
TORCH_LIBRARY_IMPL(panatune, CompositeExplicitAutograd, m) {
  m.impl("adamw_", panatune::unpacked<panatune::composite>);
}
// An update is no part of what is differentiated; as with torch.optim, it runs without gradients.
TORCH_LIBRARY_IMPL(panatune, Autograd, m) { m.impl("adamw_", torch::CppFunction::makeFallthrough()); }
