#include "cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mul.h>
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

// What becomes of a product of hidden state and weight: the logit, and the logit's derivative by it.
struct LogitRule {
  float scale;
  float soft_cap;  // 0 for none

  bool plain() const { return scale == 1 && soft_cap == 0; }
};

template <int W, bool PLAIN>
PANATUNE_INLINE simd::F32<W> logit(const LogitRule& rule, const simd::F32<W>& product) {
  if constexpr (PLAIN) {
    return product;
  }
  const simd::F32<W> scaled = product * rule.scale;
  return rule.soft_cap == 0 ? scaled : simd::tanh<W>(scaled / rule.soft_cap) * rule.soft_cap;
}

template <int W, bool PLAIN>
PANATUNE_INLINE simd::F32<W> slope(const LogitRule& rule, const simd::F32<W>& logit) {
  if constexpr (PLAIN) {
    return simd::splat<W>(1.0f);
  }
  if (rule.soft_cap == 0) {
    return simd::splat<W>(rule.scale);
  }
  const simd::F32<W> share = logit / rule.soft_cap;
  return (1.0f - share * share) * rule.scale;
}

// The arguments of a call but for hidden and weight.
struct Head {
  const at::Tensor& targets;
  int64_t chunk_rows;
  double scale;
  double soft_cap;
};

void check_arguments(const at::Tensor& hidden, const at::Tensor& weight, const Head& head) {
  const auto& [targets, chunk_rows, scale, soft_cap] = head;
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
  TORCH_CHECK(std::isfinite(scale) && soft_cap >= 0 && std::isfinite(soft_cap),
              "panatune::linear_cross_entropy: scale ", scale, " and soft_cap ", soft_cap,
              " must be finite, and soft_cap positive or 0 for none");
  if (targets.numel() > 0) {
    const int64_t least = targets.min().item<int64_t>(), most = targets.max().item<int64_t>();
    TORCH_CHECK(least >= 0 && most < weight.size(0), "panatune::linear_cross_entropy: targets lie in [", least, ", ",
                most, "], but must lie in [0, ", weight.size(0), "); leave out rows without a target");
  }
}

// One row of products: its loss and whether the target leads. With `differentiate`, the products become the gradient
// of the loss: softmax - one-hot, times the slope of the logit.
template <class T, bool PLAIN>
struct LossRow {
  T* products;
  int64_t count;
  int64_t target;
  LogitRule rule;
  bool differentiate;
  float* loss;
  bool* correct;

  template <int W>
  PANATUNE_INLINE simd::F32<W> logits_at(int64_t i) const {
    return logit<W, PLAIN>(rule, simd::load<W>(products + i));
  }

  // The lanes past the end of the row, of which `left` are there, are of no meaning.
  template <int W>
  PANATUNE_INLINE simd::F32<W> logits_at(int64_t i, int64_t left) const {
    return logit<W, PLAIN>(rule, simd::load<W>(products + i, left));
  }

  template <int W>
  PANATUNE_INLINE float largest() const {
    const int64_t whole = count / W * W;
    simd::F32<W> most = simd::splat<W>(-INFINITY);
    for (int64_t i = 0; i < whole; i += W) {
      most = simd::max<W>(most, logits_at<W>(i));
    }
    float largest = simd::max<W>(most);
    if (whole < count) {
      const simd::F32<W> last = logits_at<W>(whole, count - whole);
      for (int64_t i = 0; i < count - whole; ++i) {
        largest = largest > last[i] ? largest : last[i];
      }
    }
    return largest;
  }

  template <int W>
  PANATUNE_INLINE bool first_to_reach(float largest) const {
    for (int64_t i = 0; i < target; i += W) {
      const int64_t left = target - i < W ? target - i : W;
      const simd::F32<W> logits = logits_at<W>(i, left);
      for (int64_t j = 0; j < left; ++j) {
        if (logits[j] == largest) {
          return false;
        }
      }
    }
    return true;
  }

  // Summed in fp32 over some thousand logits, in fp64 over those sums.
  template <int W>
  PANATUNE_INLINE double sum_of_exponentials(float largest) const {
    constexpr int64_t kStretch = 4096;
    const int64_t whole = count / W * W;
    double total = 0;
    for (int64_t from = 0; from < whole; from += kStretch) {
      const int64_t to = from + kStretch < whole ? from + kStretch : whole;
      simd::F32<W> sums = {};
      for (int64_t i = from; i < to; i += W) {
        sums += simd::exp<W>(logits_at<W>(i) - largest);
      }
      total += simd::sum<W>(sums);
    }
    if (whole < count) {
      const simd::F32<W> last = simd::exp<W>(logits_at<W>(whole, count - whole) - largest);
      for (int64_t i = 0; i < count - whole; ++i) {
        total += last[i];
      }
    }
    return total;
  }

  template <int W>
  PANATUNE_INLINE static void run(const LossRow& row) {
    const float at_target = row.logits_at<W>(row.target, 1)[0];
    const float largest = row.largest<W>();
    *row.correct = at_target == largest && row.first_to_reach<W>(largest);
    const double total = row.sum_of_exponentials<W>(largest);
    *row.loss = static_cast<float>(std::log(total)) - (at_target - largest);
    if (row.differentiate) {
      row.become_gradient<W>(at_target, largest, static_cast<float>(1.0 / total));
    }
  }

  template <int W>
  PANATUNE_INLINE void become_gradient(float at_target, float largest, float inverse) const {
    for (int64_t i = 0; i < count; i += W) {
      const simd::F32<W> logits = logits_at<W>(i, count - i);
      const simd::F32<W> share = simd::exp<W>(logits - largest) * inverse;
      simd::store<W>(products + i, share * slope<W, PLAIN>(rule, logits), count - i);
    }
    const float steepness = slope<W, PLAIN>(rule, simd::splat<W>(at_target))[0];
    products[target] = static_cast<T>((std::exp(at_target - largest) * inverse - 1.0f) * steepness);
  }
};

struct Losses {
  double sum = 0;
  int64_t correct = 0;
};

// The losses of a chunk of products [n, V], which become their gradient where it is asked for.
template <bool PLAIN>
Losses losses_of(const at::Tensor& products, const int64_t* targets, const LogitRule& rule, bool differentiate) {
  const int64_t rows = products.size(0), count = products.size(1);
  std::vector<float> losses(rows);
  std::vector<char> correct(rows);
  simd::with_type(products.scalar_type(), "panatune::linear_cross_entropy", [&](auto zero) {
    using T = decltype(zero);
    using Row = LossRow<T, PLAIN>;
    T* const data = products.mutable_data_ptr<T>();
    at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        bool leads = false;
        const Row row{data + r * count, count, targets[r], rule, differentiate, &losses[r], &leads};
        simd::dispatch<Row>(row);
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
  // fp32, so that scaling them rounds them for the first time; undefined where not asked for.
  at::Tensor for_hidden, for_weight;
};

Result compute(const at::Tensor& hidden, const at::Tensor& weight, const Head& head, bool hidden_gradient,
               bool weight_gradient) {
  check_arguments(hidden, weight, head);
  const LogitRule rule{static_cast<float>(head.scale), static_cast<float>(head.soft_cap)};
  const at::Tensor dense_targets = head.targets.contiguous();
  const at::Tensor dense_hidden = hidden.contiguous();
  const int64_t rows = hidden.size(0);
  Result result;
  if (hidden_gradient) {
    result.for_hidden = at::empty(hidden.sizes(), hidden.options().dtype(at::kFloat));
  }
  if (weight_gradient) {
    result.for_weight = at::zeros(weight.sizes(), weight.options().dtype(at::kFloat));
  }
  Losses total;
  for (int64_t from = 0; from < rows; from += head.chunk_rows) {
    const int64_t length = std::min(head.chunk_rows, rows - from);
    const at::Tensor chunk = dense_hidden.narrow(0, from, length);
    const at::Tensor products = matmul_compute(chunk, weight.t()).contiguous();
    const auto losses_of_rule = rule.plain() ? losses_of<true> : losses_of<false>;
    const Losses losses = losses_of_rule(products, dense_targets.const_data_ptr<int64_t>() + from, rule,
                                         hidden_gradient || weight_gradient);
    total.sum += losses.sum;
    total.correct += losses.correct;
    if (hidden_gradient) {
      result.for_hidden.narrow(0, from, length).copy_(matmul_compute(products, weight, at::kFloat));
    }
    if (weight_gradient) {
      matmul_accumulate(result.for_weight, products.t(), chunk);
    }
  }
  result.loss_sum = at::empty({}, hidden.options().dtype(at::kFloat)).fill_(total.sum);
  result.correct = at::empty({}, head.targets.options()).fill_(total.correct);
  return result;
}

// The plain formulas, chunk by chunk; autograd, where it is on, keeps the logits of every chunk.
std::tuple<at::Tensor, at::Tensor> composite(const at::Tensor& hidden, const at::Tensor& weight, const Head& head) {
  check_arguments(hidden, weight, head);
  const bool wide = hidden.scalar_type() == at::kDouble;
  at::Tensor loss_sum = at::zeros({}, hidden.options().dtype(wide ? at::kDouble : at::kFloat));
  at::Tensor correct = at::zeros({}, head.targets.options());
  for (int64_t from = 0; from < hidden.size(0); from += head.chunk_rows) {
    const int64_t length = std::min(head.chunk_rows, hidden.size(0) - from);
    at::Tensor logits = at::linear(hidden.narrow(0, from, length), weight).to(loss_sum.scalar_type());
    if (head.scale != 1) {
      logits = logits * head.scale;
    }
    if (head.soft_cap != 0) {
      logits = (logits / head.soft_cap).tanh() * head.soft_cap;
    }
    const at::Tensor targets = head.targets.narrow(0, from, length);
    loss_sum = loss_sum + at::cross_entropy_loss(logits, targets, {}, at::Reduction::Sum);
    correct = correct + logits.detach().argmax(-1).eq(targets).sum();
  }
  return {loss_sum, correct};
}

class LinearCrossEntropy : public torch::autograd::Function<LinearCrossEntropy> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& weight,
                               const Head& head) {
    at::AutoDispatchBelowADInplaceOrView below;
    Result result = compute(hidden, weight, head, hidden.requires_grad(), weight.requires_grad());
    context->save_for_backward({result.for_hidden, result.for_weight});
    context->saved_data["dtype"] = hidden.scalar_type();
    context->mark_non_differentiable({result.correct});
    return {result.loss_sum, result.correct};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::ScalarType dtype = context->saved_data["dtype"].toScalarType();
    const auto scaled = [&](const at::Tensor& gradient) {
      if (!gradient.defined()) {
        return at::Tensor();
      }
      at::Tensor result = at::empty(gradient.sizes(), gradient.options().dtype(dtype));
      return at::mul_out(result, gradient, gradients[0]);
    };
    return {scaled(saved[0]), scaled(saved[1]), at::Tensor()};
  }
};

std::tuple<at::Tensor, at::Tensor> forward(const at::Tensor& hidden, const at::Tensor& weight, const Head& head) {
  if (!fused_kernels(hidden.scalar_type())) {
    return composite(hidden, weight, head);
  }
  const Result result = compute(hidden, weight, head, false, false);
  return {result.loss_sum, result.correct};
}

std::tuple<at::Tensor, at::Tensor> with_autograd(const at::Tensor& hidden, const at::Tensor& weight, const Head& head) {
  if (!fused_kernels(hidden.scalar_type())) {
    return composite(hidden, weight, head);
  }
  if (needs_gradient({hidden, weight})) {
    const variable_list results = LinearCrossEntropy::apply(hidden, weight, head);
    return {results[0], results[1]};
  }
  at::AutoDispatchBelowADInplaceOrView below;
  return forward(hidden, weight, head);
}

// Makes the dispatcher's function of one that takes a Head.
template <std::tuple<at::Tensor, at::Tensor> (*body)(const at::Tensor&, const at::Tensor&, const Head&)>
std::tuple<at::Tensor, at::Tensor> unpacked(const at::Tensor& hidden, const at::Tensor& weight,
                                            const at::Tensor& targets, int64_t chunk_rows, double scale,
                                            double soft_cap) {
  return body(hidden, weight, {targets, chunk_rows, scale, soft_cap});
}

template <at::DeviceType device>
std::tuple<at::Tensor, at::Tensor> with_autocast(const at::Tensor& hidden, const at::Tensor& weight,
                                                 const at::Tensor& targets, int64_t chunk_rows, double scale,
                                                 double soft_cap) {
  AutocastExcluded guard(device);
  return linear_cross_entropy(autocast(hidden, device), autocast(weight, device), targets, chunk_rows, scale, soft_cap);
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight,
                                                        const at::Tensor& targets, int64_t chunk_rows, double scale,
                                                        double soft_cap) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("panatune::linear_cross_entropy", "")
                             .typed<decltype(linear_cross_entropy)>();
  return op.call(hidden, weight, targets, chunk_rows, scale, soft_cap);
}

}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def(
      "linear_cross_entropy(Tensor hidden, Tensor weight, Tensor targets, int chunk_rows=512, float scale=1, "
      "float soft_cap=0) -> (Tensor loss_sum, Tensor correct)");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("linear_cross_entropy", panatune::unpacked<panatune::forward>); }
TORCH_LIBRARY_IMPL(panatune, AutogradCPU, m) {
  m.impl("linear_cross_entropy", panatune::unpacked<panatune::with_autograd>);
}
TORCH_LIBRARY_IMPL(panatune, CompositeImplicitAutograd, m) {
  m.impl("linear_cross_entropy", panatune::unpacked<panatune::composite>);
}
TORCH_LIBRARY_IMPL(panatune, AutocastCPU, m) { m.impl("linear_cross_entropy", panatune::with_autocast<at::kCPU>); }
TORCH_LIBRARY_IMPL(panatune, AutocastCUDA, m) { m.impl("linear_cross_entropy", panatune::with_autocast<at::kCUDA>); }
