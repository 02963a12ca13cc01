#include "cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd.h"
#include "cpu.h"
#include "gemm.h"
#include "simd.h"

namespace panatune {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void check_arguments(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                     int64_t chunk_rows) {
  TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1) && weight.size(0) > 0,
              "panatune::linear_cross_entropy: hidden ", hidden.sizes(), " and weight ", weight.sizes(),
              " are not [N, H] and [V, H]");
  TORCH_CHECK(hidden.is_floating_point() && hidden.scalar_type() == weight.scalar_type(),
              "panatune::linear_cross_entropy: hidden is ", hidden.scalar_type(), " and weight ", weight.scalar_type(),
              "; both must be of one floating dtype (or use autocast)");
  TORCH_CHECK(targets.dim() == 1 && targets.size(0) == hidden.size(0) && targets.scalar_type() == at::kLong,
              "panatune::linear_cross_entropy: targets are ", targets.scalar_type(), " ", targets.sizes(),
              ", but must be Long [", hidden.size(0), "]");
  TORCH_CHECK(chunk_rows > 0, "panatune::linear_cross_entropy: chunk_rows is ", chunk_rows, ", but must be positive");
  if (targets.numel() > 0) {
    const int64_t least = targets.min().item<int64_t>(), most = targets.max().item<int64_t>();
    TORCH_CHECK(least >= 0 && most < weight.size(0), "panatune::linear_cross_entropy: targets lie in [", least, ", ",
                most, "], but must lie in [0, ", weight.size(0), "); leave out rows without a target");
  }
}

// One row of logits: its loss and whether the target leads. With `differentiate`, the logits become
// softmax - one-hot, the gradient of the loss.
template <class T>
struct LossRow {
  T* logits;
  int64_t count;
  int64_t target;
  bool differentiate;
  float* loss;
  bool* correct;

  template <int W>
  PANATUNE_INLINE static void run(const LossRow& row) {
    T* const logits = row.logits;
    const int64_t count = row.count, whole = count / W * W, rest = count - whole;
    simd::F32<W> most = simd::splat<W>(-INFINITY);
    for (int64_t i = 0; i < whole; i += W) {
      most = simd::max<W>(most, simd::load<W>(logits + i));
    }
    float largest = simd::max<W>(most);
    for (int64_t i = whole; i < count; ++i) {
      largest = largest > logits[i] ? largest : static_cast<float>(logits[i]);
    }
    const float at_target = logits[row.target];
    bool leads = at_target == largest;
    for (int64_t i = 0; leads && i < row.target; ++i) {
      leads = static_cast<float>(logits[i]) != largest;
    }
    *row.correct = leads;

    // Summed in fp32 over some thousand logits, in fp64 over those sums.
    constexpr int64_t kStretch = 4096;
    double total = 0;
    for (int64_t from = 0; from < whole; from += kStretch) {
      const int64_t to = from + kStretch < whole ? from + kStretch : whole;
      simd::F32<W> sums = {};
      for (int64_t i = from; i < to; i += W) {
        sums += simd::exp<W>(simd::load<W>(logits + i) - largest);
      }
      total += simd::sum<W>(sums);
    }
    if (rest > 0) {
      const simd::F32<W> last = simd::exp<W>(simd::load<W>(logits + whole, rest) - largest);
      for (int64_t i = 0; i < rest; ++i) {
        total += last[i];
      }
    }
    const float log_total = static_cast<float>(std::log(total));
    *row.loss = log_total - (at_target - largest);
    if (!row.differentiate) {
      return;
    }
    const float inverse = static_cast<float>(1.0 / total);
    for (int64_t i = 0; i < whole; i += W) {
      simd::store<W>(logits + i, simd::exp<W>(simd::load<W>(logits + i) - largest) * inverse);
    }
    if (rest > 0) {
      simd::store<W>(logits + whole, simd::exp<W>(simd::load<W>(logits + whole, rest) - largest) * inverse, rest);
    }
    logits[row.target] = static_cast<T>(std::exp(at_target - largest) * inverse - 1.0f);
  }
};

struct Losses {
  double sum = 0;
  int64_t correct = 0;
};

// The losses of a chunk of logits [n, V], which become their gradient where it is asked for.
Losses losses_of(const at::Tensor& logits, const int64_t* targets, bool differentiate) {
  const int64_t rows = logits.size(0), count = logits.size(1);
  std::vector<float> losses(rows);
  std::vector<char> correct(rows);
  simd::with_type(logits.scalar_type(), "panatune::linear_cross_entropy", [&](auto zero) {
    using T = decltype(zero);
    T* const data = logits.mutable_data_ptr<T>();
    at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        bool leads = false;
        const LossRow<T> row{data + r * count, count, targets[r], differentiate, &losses[r], &leads};
        simd::dispatch<LossRow<T>>(row);
        correct[r] = leads;
      }
    });
  });
  Losses total;
  for (int64_t r = 0; r < rows; ++r) {
    total.sum += losses[r];
    total.correct += correct[r];
  }
  return total;
}

struct Result {
  at::Tensor loss_sum, correct;
  at::Tensor for_hidden, for_weight;  // undefined where not asked for
};

Result compute(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, int64_t chunk_rows,
               bool hidden_gradient, bool weight_gradient) {
  check_arguments(hidden, weight, targets, chunk_rows);
  const at::Tensor dense_targets = targets.contiguous();
  const at::Tensor dense_hidden = hidden.contiguous();
  const int64_t rows = hidden.size(0);
  Result result;
  at::Tensor weight_sum;
  if (hidden_gradient) {
    result.for_hidden = at::empty_like(dense_hidden);
  }
  if (weight_gradient) {
    weight_sum = at::zeros(weight.sizes(), weight.options().dtype(at::kFloat));
  }
  Losses total;
  for (int64_t from = 0; from < rows; from += chunk_rows) {
    const int64_t length = std::min(chunk_rows, rows - from);
    const at::Tensor chunk = dense_hidden.narrow(0, from, length);
    const at::Tensor logits = matmul_compute(chunk, weight.t()).contiguous();
    const Losses losses =
        losses_of(logits, dense_targets.const_data_ptr<int64_t>() + from, hidden_gradient || weight_gradient);
    total.sum += losses.sum;
    total.correct += losses.correct;
    if (hidden_gradient) {
      result.for_hidden.narrow(0, from, length).copy_(matmul_compute(logits, weight));
    }
    if (weight_gradient) {
      matmul_accumulate(weight_sum, logits.t(), chunk);
    }
  }
  if (weight_gradient) {
    result.for_weight = weight_sum.to(weight.scalar_type());
  }
  result.loss_sum = at::empty({}, hidden.options().dtype(at::kFloat)).fill_(total.sum);
  result.correct = at::empty({}, targets.options()).fill_(total.correct);
  return result;
}

// The plain formulas, chunk by chunk; autograd, where it is on, keeps the logits of every chunk.
std::tuple<at::Tensor, at::Tensor> composite(const at::Tensor& hidden, const at::Tensor& weight,
                                             const at::Tensor& targets, int64_t chunk_rows) {
  check_arguments(hidden, weight, targets, chunk_rows);
  const bool wide = hidden.scalar_type() == at::kDouble;
  at::Tensor loss_sum = at::zeros({}, hidden.options().dtype(wide ? at::kDouble : at::kFloat));
  at::Tensor correct = at::zeros({}, targets.options());
  for (int64_t from = 0; from < hidden.size(0); from += chunk_rows) {
    const int64_t length = std::min(chunk_rows, hidden.size(0) - from);
    const at::Tensor logits = at::linear(hidden.narrow(0, from, length), weight).to(loss_sum.scalar_type());
    const at::Tensor chunk_targets = targets.narrow(0, from, length);
    loss_sum = loss_sum + at::cross_entropy_loss(logits, chunk_targets, {}, at::Reduction::Sum);
    correct = correct + logits.detach().argmax(-1).eq(chunk_targets).sum();
  }
  return {loss_sum, correct};
}

class LinearCrossEntropy : public torch::autograd::Function<LinearCrossEntropy> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& weight,
                               const at::Tensor& targets, int64_t chunk_rows) {
    at::AutoDispatchBelowADInplaceOrView below;
    Result result = compute(hidden, weight, targets, chunk_rows, hidden.requires_grad(), weight.requires_grad());
    context->save_for_backward({result.for_hidden, result.for_weight});
    context->mark_non_differentiable({result.correct});
    return {result.loss_sum, result.correct};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto scaled = [&](const at::Tensor& gradient) {
      return gradient.defined() ? gradient.mul(gradients[0]).to(gradient.scalar_type()) : at::Tensor();
    };
    return {scaled(saved[0]), scaled(saved[1]), at::Tensor(), at::Tensor()};
  }
};

std::tuple<at::Tensor, at::Tensor> forward(const at::Tensor& hidden, const at::Tensor& weight,
                                           const at::Tensor& targets, int64_t chunk_rows) {
  if (!fused_kernels(hidden.scalar_type())) {
    return composite(hidden, weight, targets, chunk_rows);
  }
  const Result result = compute(hidden, weight, targets, chunk_rows, false, false);
  return {result.loss_sum, result.correct};
}

std::tuple<at::Tensor, at::Tensor> with_autograd(const at::Tensor& hidden, const at::Tensor& weight,
                                                 const at::Tensor& targets, int64_t chunk_rows) {
  if (!fused_kernels(hidden.scalar_type())) {
    return composite(hidden, weight, targets, chunk_rows);
  }
  if (needs_gradient({hidden, weight})) {
    const variable_list results = LinearCrossEntropy::apply(hidden, weight, targets, chunk_rows);
    return {results[0], results[1]};
  }
  at::AutoDispatchBelowADInplaceOrView below;
  return forward(hidden, weight, targets, chunk_rows);
}

template <at::DeviceType device>
std::tuple<at::Tensor, at::Tensor> with_autocast(const at::Tensor& hidden, const at::Tensor& weight,
                                                 const at::Tensor& targets, int64_t chunk_rows) {
  AutocastExcluded guard(device);
  return linear_cross_entropy(autocast(hidden, device), autocast(weight, device), targets, chunk_rows);
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight,
                                                        const at::Tensor& targets, int64_t chunk_rows) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("panatune::linear_cross_entropy", "")
                             .typed<decltype(linear_cross_entropy)>();
  return op.call(hidden, weight, targets, chunk_rows);
}

}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def(
      "linear_cross_entropy(Tensor hidden, Tensor weight, Tensor targets, int chunk_rows=512) -> (Tensor loss_sum, "
      "Tensor correct)");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("linear_cross_entropy", panatune::forward); }
TORCH_LIBRARY_IMPL(panatune, AutogradCPU, m) { m.impl("linear_cross_entropy", panatune::with_autograd); }
TORCH_LIBRARY_IMPL(panatune, CompositeImplicitAutograd, m) { m.impl("linear_cross_entropy", panatune::composite); }
TORCH_LIBRARY_IMPL(panatune, AutocastCPU, m) { m.impl("linear_cross_entropy", panatune::with_autocast<at::kCPU>); }
TORCH_LIBRARY_IMPL(panatune, AutocastCUDA, m) { m.impl("linear_cross_entropy", panatune::with_autocast<at::kCUDA>); }
