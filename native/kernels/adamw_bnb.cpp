// panatune::bnb_adamw_(Tensor(a!)[] parameters, Tensor[] gradients, Tensor(b!)[] state1, Tensor(c!)[] state2,
//                      Tensor(d!)[] absmax1, Tensor(e!)[] absmax2, Tensor signed_code, Tensor unsigned_code,
//                      float[] weight_decays, int step, float lr, float beta1, float beta2, float eps,
//                      float gradient_scale, float max_norm) -> Tensor
//
// One update of all parameters as bitsandbytes 0.50.2's AdamW makes it on the CPU (arXiv:2110.02861), after
// clip_grad_norm_; steps, scaling, clipping and the result are as adamw_'s. The moments of a parameter are fp32 tensors
// of its shape; or uint8 codes of its shape, those of state1 from signed_code and those of state2 from unsigned_code
// (fp32 [256], see quant8.h), of which 256 share a scale in absmax1 and absmax2, which are empty for fp32 moments.
//
// Bit for bit as bitsandbytes computes with libtorch where that has AVX2: its add_ and addcmul_ fuse the last
// multiplication and addition, and its roots are MKL's, which are not rounded correctly, so they are asked of it here
// as well. Compiled with -ffp-contract=off. A step uses the moments before they are rounded to codes. For parameters,
// gradients and moments in fp32 on the CPU; composite elsewhere.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "adamw_blocks.h"
#include "cpu.h"
#include "quant8.h"
#include "simd.h"

namespace panatune {
namespace {

constexpr int64_t kScaled = 256;  // elements that share a scale
static_assert(kUpdateBlock % kScaled == 0);

struct Update {
  at::TensorList parameters, gradients, state1, state2, absmax1, absmax2;
  const at::Tensor& signed_code;
  const at::Tensor& unsigned_code;
  at::ArrayRef<double> decays;
  int64_t step;
  double rate, beta1, beta2, epsilon, scale, max_norm;

  bool packed(size_t i) const { return state1[i].scalar_type() == at::kByte; }
  double correction1() const { return 1 - std::pow(beta1, step); }
  double root_correction2() const { return std::sqrt(1 - std::pow(beta2, step)); }
};

void check(const Update& update) {
  const size_t n = update.parameters.size();
  TORCH_CHECK(update.gradients.size() == n && update.state1.size() == n && update.state2.size() == n &&
                  update.absmax1.size() == n && update.absmax2.size() == n && update.decays.size() == n,
              "panatune::bnb_adamw_: for ", n, " parameters come ", update.gradients.size(), " gradients, ",
              update.state1.size(), " and ", update.state2.size(), " moments, ", update.absmax1.size(), " and ",
              update.absmax2.size(), " scales and ", update.decays.size(), " decays");
  for (size_t i = 0; i < n; ++i) {
    const at::IntArrayRef shape = update.parameters[i].sizes();
    TORCH_CHECK(
        update.gradients[i].sizes() == shape && update.state1[i].sizes() == shape && update.state2[i].sizes() == shape,
        "panatune::bnb_adamw_: parameter ", i, " is ", shape, ", its gradient ", update.gradients[i].sizes(),
        " and its moments ", update.state1[i].sizes(), " and ", update.state2[i].sizes());
    const auto scales = [&](const at::Tensor& state, const at::Tensor& absmax) {
      const bool codes = state.scalar_type() == at::kByte;
      const int64_t wanted = codes ? (state.numel() + kScaled - 1) / kScaled : 0;
      TORCH_CHECK(codes || state.is_floating_point(), "panatune::bnb_adamw_: a moment of parameter ", i, " is ",
                  state.scalar_type(), ", but must be floating point or Byte");
      TORCH_CHECK(absmax.scalar_type() == at::kFloat && absmax.numel() == wanted,
                  "panatune::bnb_adamw_: ", state.scalar_type(), " moments of parameter ", i, ", ", shape, ", have ",
                  wanted, " Float scales, not ", absmax.scalar_type(), " ", absmax.sizes());
    };
    scales(update.state1[i], update.absmax1[i]);
    scales(update.state2[i], update.absmax2[i]);
    TORCH_CHECK(update.state1[i].scalar_type() == update.state2[i].scalar_type(), "panatune::bnb_adamw_: the moments ",
                "of parameter ", i, " are ", update.state1[i].scalar_type(), " and ", update.state2[i].scalar_type());
  }
  TORCH_CHECK(update.step >= 1, "panatune::bnb_adamw_: step is ", update.step, ", but is counted from 1");
}

// a b + c, rounded once.
template <int W>
PANATUNE_INLINE simd::F32<W> fused(const simd::F32<W>& a, const simd::F32<W>& b, const simd::F32<W>& c) {
  simd::F32<W> result;
  PANATUNE_UNROLL
  for (int i = 0; i < W; ++i) {
    result[i] = __builtin_fmaf(a[i], b[i], c[i]);
  }
  return result;
}

// The moments of a block take its gradient in.
struct Advance {
  template <int W>
  PANATUNE_INLINE static void run(const Update& update, float scale, const float* gradients, int64_t count,
                                  float* first, float* second) {
    const float beta1 = static_cast<float>(update.beta1), beta2 = static_cast<float>(update.beta2);
    const simd::F32<W> rest1 = simd::splat<W>(static_cast<float>(1 - update.beta1));
    const float rest2 = static_cast<float>(1 - update.beta2);
    for (int64_t i = 0; i < count; i += W) {
      const int64_t left = count - i;
      const simd::F32<W> gradient = simd::load<W>(gradients + i, left) * scale;
      simd::store<W>(first + i, fused<W>(gradient, rest1, simd::load<W>(first + i, left) * beta1), left);
      simd::store<W>(second + i, fused<W>(gradient * rest2, gradient, simd::load<W>(second + i, left) * beta2), left);
    }
  }
};

// A block of a parameter moves. bitsandbytes' two functions, for codes and for fp32 moments, write the same formula in
// two ways, which round differently.
struct Move {
  template <int W>
  PANATUNE_INLINE static void run(const Update& update, bool packed, double decay, const float* first,
                                  const float* roots, int64_t count, float* parameters) {
    const double correction1 = update.correction1(), correction2 = update.root_correction2();
    const float kept = decay > 0 ? static_cast<float>(1 - update.rate * decay) : 1.0f;
    const float epsilon = static_cast<float>(packed ? update.epsilon : update.epsilon * correction2);
    const float divisor = static_cast<float>(correction2);
    const float size =
        static_cast<float>(packed ? -update.rate / correction1 : -update.rate * correction2 / correction1);
    for (int64_t i = 0; i < count; i += W) {
      const int64_t left = count - i;
      const simd::F32<W> value = simd::load<W>(parameters + i, left) * kept;
      const simd::F32<W> mean = simd::load<W>(first + i, left), root = simd::load<W>(roots + i, left);
      const simd::F32<W> moved = packed ? value + mean * size / (root / divisor + epsilon)
                                        : fused<W>(mean / (root + epsilon), simd::splat<W>(size), value);
      simd::store<W>(parameters + i, moved, left);
    }
  }
};

void decode(const at::Tensor& codes, const at::Tensor& absmax, const at::Tensor& code, const Block& block, float* out) {
  const uint8_t* from = codes.const_data_ptr<uint8_t>();
  const float *scales = absmax.const_data_ptr<float>(), *table = code.const_data_ptr<float>();
  for (int64_t i = block.begin; i < block.end; ++i) {
    out[i - block.begin] = table[from[i]] * scales[i / kScaled];
  }
}

void encode(const Encoder8& encoder, const float* values, const Block& block, const at::Tensor& codes,
            const at::Tensor& absmax) {
  for (int64_t i = block.begin; i < block.end; i += kScaled) {
    encoder.encode_block(values + i - block.begin, std::min(kScaled, block.end - i),
                         codes.mutable_data_ptr<uint8_t>() + i, absmax.mutable_data_ptr<float>() + i / kScaled);
  }
}

// What the codes are read and written with.
struct Blocks {
  const Update& update;
  const ClippedGradients& gradients;
  Encoder8 encode_signed, encode_unsigned;

  // scratch: fp32 [3, kUpdateBlock].
  void run(const Block& block, const at::Tensor& scratch) const {
    const size_t p = block.tensor;
    const int64_t count = block.end - block.begin;
    const bool packed = update.packed(p);
    float *first = scratch.mutable_data_ptr<float>(), *second = first + kUpdateBlock;
    if (packed) {
      decode(update.state1[p], update.absmax1[p], update.signed_code, block, first);
      decode(update.state2[p], update.absmax2[p], update.unsigned_code, block, second);
    } else {
      first = update.state1[p].mutable_data_ptr<float>() + block.begin;
      second = update.state2[p].mutable_data_ptr<float>() + block.begin;
    }
    simd::dispatch<Advance>(update, static_cast<float>(gradients.factor), gradients.of(block), count, first, second);
    at::Tensor roots = scratch[2].narrow(0, 0, count);
    at::sqrt_out(roots,
                 packed ? scratch[1].narrow(0, 0, count) : update.state2[p].view(-1).narrow(0, block.begin, count));
    simd::dispatch<Move>(update, packed, update.decays[p], first, roots.const_data_ptr<float>(), count,
                         update.parameters[p].mutable_data_ptr<float>() + block.begin);
    if (packed) {
      encode(encode_signed, first, block, update.state1[p], update.absmax1[p]);
      encode(encode_unsigned, second, block, update.state2[p], update.absmax2[p]);
    }
  }
};

at::Tensor decoded(const at::Tensor& codes, const at::Tensor& absmax, const at::Tensor& code) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("panatune::dequantize_blockwise", "")
          .typed<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, int64_t, at::ScalarType)>();
  return op.call(codes, absmax, code, kScaled, at::kFloat);
}

void write_codes(const at::Tensor& values, const at::Tensor& code, const at::Tensor& codes, const at::Tensor& absmax) {
  static const auto op =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("panatune::quantize_blockwise", "")
          .typed<std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, const at::Tensor&, int64_t)>();
  const auto [fresh_codes, fresh_absmax] = op.call(values, code, kScaled);
  codes.copy_(fresh_codes);
  absmax.copy_(fresh_absmax);
}

// bitsandbytes' own operations, for other devices and types.
at::Tensor composite(const Update& update) {
  check(update);
  if (update.parameters.empty()) {
    return at::zeros({}, at::kDouble);
  }
  const double norm = plain_norm_of(update.gradients, update.scale);
  if (!std::isfinite(norm)) {
    return at::full({}, norm, at::kDouble);
  }
  const double factor = update.scale * clip_factor(norm, update.max_norm);
  const double correction1 = update.correction1(), correction2 = update.root_correction2();
  for (size_t i = 0; i < update.parameters.size(); ++i) {
    const bool packed = update.packed(i);
    at::Tensor first = packed ? decoded(update.state1[i], update.absmax1[i], update.signed_code) : update.state1[i];
    at::Tensor second = packed ? decoded(update.state2[i], update.absmax2[i], update.unsigned_code) : update.state2[i];
    const at::Tensor gradient = update.gradients[i].mul(factor);
    const at::Tensor& parameter = update.parameters[i];
    first.mul_(update.beta1).add_(gradient, 1 - update.beta1);
    second.mul_(update.beta2).addcmul_(gradient, gradient, 1 - update.beta2);
    if (update.decays[i] > 0) {
      parameter.mul_(1 - update.rate * update.decays[i]);
    }
    if (packed) {
      parameter.addcdiv_(first, second.sqrt().div_(correction2).add_(update.epsilon), -update.rate / correction1);
      write_codes(first, update.signed_code, update.state1[i], update.absmax1[i]);
      write_codes(second, update.unsigned_code, update.state2[i], update.absmax2[i]);
    } else {
      parameter.add_(first / (second.sqrt() + update.epsilon * correction2), -update.rate * correction2 / correction1);
    }
  }
  return at::full({}, norm, at::kDouble);
}

bool takes_kernel(const Update& update) {
  const auto dense = [](const at::Tensor& tensor) { return tensor.is_contiguous(); };
  const auto wide = [](const at::Tensor& tensor) { return tensor.scalar_type() == at::kFloat; };
  const auto state = [&](const at::Tensor& tensor) {
    return dense(tensor) && (wide(tensor) || tensor.scalar_type() == at::kByte);
  };
  const auto both = [&](const at::Tensor& tensor) { return dense(tensor) && wide(tensor); };
  return fused_kernels(at::kFloat) && std::all_of(update.parameters.begin(), update.parameters.end(), both) &&
         std::all_of(update.gradients.begin(), update.gradients.end(), wide) &&
         std::all_of(update.state1.begin(), update.state1.end(), state) &&
         std::all_of(update.state2.begin(), update.state2.end(), state) &&
         std::all_of(update.absmax1.begin(), update.absmax1.end(), both) &&
         std::all_of(update.absmax2.begin(), update.absmax2.end(), both) && dense(update.signed_code) &&
         dense(update.unsigned_code);
}

at::Tensor on_cpu(const Update& update) {
  if (!takes_kernel(update)) {
    return composite(update);
  }
  check(update);
  const ClippedGradients gradients(update.gradients, update.scale, update.max_norm);
  if (std::isfinite(gradients.norm)) {
    const Blocks task{update, gradients, Encoder8(update.signed_code), Encoder8(update.unsigned_code)};
    at::parallel_for(0, static_cast<int64_t>(gradients.blocks.size()), 1, [&](int64_t begin, int64_t end) {
      const at::Tensor scratch = at::empty({3, kUpdateBlock}, at::kFloat);
      for (int64_t b = begin; b < end; ++b) {
        task.run(gradients.blocks[b], scratch);
      }
    });
  }
  return at::full({}, gradients.norm, at::kDouble);
}

template <at::Tensor (*body)(const Update&)>
at::Tensor unpacked(at::TensorList parameters, at::TensorList gradients, at::TensorList state1, at::TensorList state2,
                    at::TensorList absmax1, at::TensorList absmax2, const at::Tensor& signed_code,
                    const at::Tensor& unsigned_code, at::ArrayRef<double> decays, int64_t step, double rate,
                    double beta1, double beta2, double epsilon, double scale, double max_norm) {
  return body({parameters, gradients, state1, state2, absmax1, absmax2, signed_code, unsigned_code, decays, step, rate,
               beta1, beta2, epsilon, scale, max_norm});
}

}  // namespace
}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def(
      "bnb_adamw_(Tensor(a!)[] parameters, Tensor[] gradients, Tensor(b!)[] state1, Tensor(c!)[] state2, "
      "Tensor(d!)[] absmax1, Tensor(e!)[] absmax2, Tensor signed_code, Tensor unsigned_code, float[] weight_decays, "
      "int step, float lr, float beta1, float beta2, float eps, float gradient_scale, float max_norm) -> Tensor");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("bnb_adamw_", panatune::unpacked<panatune::on_cpu>); }
TORCH_LIBRARY_IMPL(panatune, CompositeExplicitAutograd, m) {
  m.impl("bnb_adamw_", panatune::unpacked<panatune::composite>);
}
// As with adamw_, an update is no part of what is differentiated.
TORCH_LIBRARY_IMPL(panatune, Autograd, m) { m.impl("bnb_adamw_", torch::CppFunction::makeFallthrough()); }
