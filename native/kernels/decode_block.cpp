#include "decode_block.h"

#include <ATen/ops/gelu.h>
#include <torch/library.h>

#include "attention.h"
#include "cpu.h"
#include "linear.h"
#include "linear4bit.h"

namespace panatune::decode {
namespace {

using OptionalTensor = std::optional<at::Tensor>;

// Takes parts from the lists in order.
class Reader {
 public:
  Reader(at::TensorList tensors, at::IntArrayRef layout) : tensors_(tensors), layout_(layout) {
    TORCH_CHECK(layout.size() == 6 + 7 * 4, "panatune::decode_block: layout has ", layout.size(),
                " numbers, but must have 34");
  }

  at::Tensor norm(int64_t width, const char* name) {
    if (number() == 0) {
      return {};
    }
    const at::Tensor weight = tensor();
    TORCH_CHECK(weight.is_floating_point() && weight.is_contiguous() && (width < 0 || weight.numel() == width),
                "panatune::decode_block: the weight of ", name, " is ", weight.scalar_type(), " ", weight.sizes(),
                ", but must be floating point [", width, "], contiguous");
    return weight;
  }

  LinearPart linear(const char* name) {
    const int64_t kind = number(), rows = number(), cols = number(), blocksize = number();
    TORCH_CHECK(((kind & kQuantized) != 0) == (blocksize != 0) && rows > 0 && cols > 0,
                "panatune::decode_block: ", name, " of kind ", kind, " is [", rows, ", ", cols,
                "] with a blocksize of ", blocksize);
    LinearPart part{.weight = {}, .bias = {}, .rows = rows, .cols = cols, .blocksize = blocksize};
    part.weight.push_back(tensor());
    if (part.quantized()) {
      part.weight.push_back(tensor());
      for (int i = 0; i < 3; ++i) {
        part.weight.push_back((kind & kNested) != 0 ? OptionalTensor(tensor()) : std::nullopt);
      }
      part.weight.push_back(tensor());
    } else {
      const at::Tensor& weight = *part.weight[0];
      TORCH_CHECK(weight.is_floating_point() && weight.sizes() == at::IntArrayRef({rows, cols}),
                  "panatune::decode_block: the weight of ", name, " is ", weight.scalar_type(), " ", weight.sizes(),
                  ", but must be floating point [", rows, ", ", cols, "]");
    }
    if ((kind & kBias) != 0) {
      part.bias = tensor();
      TORCH_CHECK(part.bias->numel() == rows && part.bias->is_contiguous(), "panatune::decode_block: the bias of ",
                  name, " is ", part.bias->sizes(), ", but must be [", rows, "]");
    }
    return part;
  }

  void finish() const {
    TORCH_CHECK(at_tensor_ == tensors_.size(), "panatune::decode_block: ", tensors_.size(),
                " tensors were given, but layout takes ", at_tensor_);
  }

 private:
  int64_t number() { return layout_[at_number_++]; }

  at::Tensor tensor() {
    TORCH_CHECK(at_tensor_ < tensors_.size(), "panatune::decode_block: layout takes more than the ", tensors_.size(),
                " tensors that were given");
    return tensors_[at_tensor_++];
  }

  at::TensorList tensors_;
  at::IntArrayRef layout_;
  size_t at_tensor_ = 0, at_number_ = 0;
};

void check(const Arguments& block) {
  const at::Tensor& hidden = block.hidden;
  const int64_t width = hidden.size(-1);
  TORCH_CHECK(hidden.dim() == 3 && hidden.numel() == width && hidden.is_floating_point(),
              "panatune::decode_block: hidden ", hidden.scalar_type(), " ", hidden.sizes(),
              " is not floating point [1, 1, H]");
  const at::Tensor &keys = block.keys, &values = block.values;
  TORCH_CHECK(keys.dim() == 4 && keys.size(0) == 1 && keys.sizes() == values.sizes() && keys.is_floating_point() &&
                  keys.scalar_type() == values.scalar_type() && keys.stride(3) == 1 && values.stride(3) == 1,
              "panatune::decode_block: keys ", keys.sizes(), " and values ", values.sizes(),
              " are not [1, Hkv, C, D] of one floating dtype with dense rows");
  TORCH_CHECK(block.position >= 0 && block.position < keys.size(2), "panatune::decode_block: position ", block.position,
              " is not in a cache of ", keys.size(2));
  const int64_t depth = block.depth(), kv = block.kv_heads() * depth, all = block.query.rows;
  TORCH_CHECK(depth > 0 && kv > 0 && all % kv == 0 && block.key.rows == kv && block.value.rows == kv &&
                  block.query.cols == width && block.key.cols == width && block.value.cols == width &&
                  block.output.rows == width && block.output.cols == all,
              "panatune::decode_block: the attention's layers do not fit hidden ", hidden.sizes(), " and keys ",
              keys.sizes());
  TORCH_CHECK(block.gate.cols == width && block.up.cols == width && block.gate.rows == block.up.rows &&
                  block.down.cols == block.up.rows && block.down.rows == width,
              "panatune::decode_block: the MLP's layers do not fit hidden ", hidden.sizes());
  const auto per_head = [depth](const at::Tensor& norm) { return !norm.defined() || norm.numel() == depth; };
  TORCH_CHECK(per_head(block.query_norm) && per_head(block.key_norm),
              "panatune::decode_block: norms of queries and keys must be over the ", depth, " elements of a head");
  TORCH_CHECK(block.cos.has_value() == block.sin.has_value(), "panatune::decode_block: cos and sin go together");
  if (block.cos) {
    TORCH_CHECK(block.cos->sizes() == block.sin->sizes() && block.cos->numel() * 2 <= depth &&
                    block.cos->scalar_type() == at::kFloat && block.sin->scalar_type() == at::kFloat,
                "panatune::decode_block: cos ", block.cos->sizes(), " and sin ", block.sin->sizes(),
                " are not float32 [1, R / 2] with R at most ", depth);
  }
}

Arguments arguments(const at::Tensor& hidden, at::TensorList tensors, at::IntArrayRef layout, const at::Tensor& keys,
                    const at::Tensor& values, int64_t position, const OptionalTensor& cos, const OptionalTensor& sin,
                    double scale, int64_t window, double epsilon, bool one_plus, const std::string& activation) {
  TORCH_CHECK(activation == "silu" || activation == "gelu_tanh", "panatune::decode_block: the activation '", activation,
              "' is not silu or gelu_tanh");
  Reader reader(tensors, layout);
  const int64_t width = hidden.dim() > 0 ? hidden.size(-1) : 0;
  Arguments block{.hidden = hidden,
                  .input_norm = reader.norm(width, "the input's norm"),
                  .query_norm = reader.norm(-1, "the queries' norm"),
                  .key_norm = reader.norm(-1, "the keys' norm"),
                  .attention_output_norm = reader.norm(width, "the norm after attention"),
                  .mlp_norm = reader.norm(width, "the norm before the MLP"),
                  .mlp_output_norm = reader.norm(width, "the norm after the MLP"),
                  .query = reader.linear("q"),
                  .key = reader.linear("k"),
                  .value = reader.linear("v"),
                  .output = reader.linear("o"),
                  .gate = reader.linear("gate"),
                  .up = reader.linear("up"),
                  .down = reader.linear("down"),
                  .keys = keys,
                  .values = values,
                  .position = position,
                  .cos = cos,
                  .sin = sin,
                  .scale = scale,
                  .window = window,
                  .epsilon = epsilon,
                  .one_plus = one_plus,
                  .silu = activation == "silu"};
  reader.finish();
  check(block);
  return block;
}

at::Tensor on_cpu(const at::Tensor& hidden, at::TensorList tensors, at::IntArrayRef layout, at::Tensor keys,
                  at::Tensor values, int64_t position, const OptionalTensor& cos, const OptionalTensor& sin,
                  double scale, int64_t window, double epsilon, bool one_plus, std::string activation) {
  const Arguments block = arguments(hidden, tensors, layout, keys, values, position, cos, sin, scale, window, epsilon,
                                    one_plus, activation);
  return fused_kernels(hidden.scalar_type()) && fused_kernels(keys.scalar_type()) ? fused(block) : composite(block);
}

at::Tensor elsewhere(const at::Tensor& hidden, at::TensorList tensors, at::IntArrayRef layout, at::Tensor keys,
                     at::Tensor values, int64_t position, const OptionalTensor& cos, const OptionalTensor& sin,
                     double scale, int64_t window, double epsilon, bool one_plus, std::string activation) {
  return composite(arguments(hidden, tensors, layout, keys, values, position, cos, sin, scale, window, epsilon,
                             one_plus, activation));
}

template <typename Signature>
auto find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

at::Tensor norm(const Arguments& block, const at::Tensor& weight, const at::Tensor& input) {
  static const auto op = find<at::Tensor(const at::Tensor&, const at::Tensor&, double, bool)>("panatune::rms_norm");
  return weight.defined() ? op.call(input, weight, block.epsilon, block.one_plus) : input;
}

at::Tensor turned(const Arguments& block, const at::Tensor& heads) {
  static const auto op = find<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&)>("panatune::rotary");
  return block.cos ? op.call(heads, *block.cos, *block.sin) : heads;
}

at::Tensor apply(const LinearPart& part, const at::Tensor& input) {
  const auto& weight = part.weight;
  if (part.quantized()) {
    return linear_4bit(input, *weight[0], *weight[1], weight[2], weight[3], weight[4], *weight[5], part.bias, part.rows,
                       part.cols, part.blocksize, input.scalar_type());
  }
  const at::ScalarType dtype = weight[0]->scalar_type();
  const OptionalTensor bias = part.bias ? OptionalTensor(part.bias->to(dtype)) : std::nullopt;
  return panatune::linear(input.to(dtype), *weight[0], bias).to(input.scalar_type());
}

at::Tensor activated(const Arguments& block, const at::Tensor& gate, const at::Tensor& up) {
  static const auto swiglu = find<at::Tensor(const at::Tensor&, const at::Tensor&)>("panatune::swiglu");
  return block.silu ? swiglu.call(gate, up) : at::gelu(gate, "tanh").mul(up);
}

}  // namespace

at::Tensor composite(const Arguments& block) {
  const int64_t first = block.first_seen(), seen = block.position + 1 - first, depth = block.depth();
  const auto heads = [depth](const at::Tensor& row) { return row.view({1, 1, -1, depth}); };
  const at::Tensor input = norm(block, block.input_norm, block.hidden);
  const at::Tensor queries =
      turned(block, norm(block, block.query_norm, heads(apply(block.query, input))).transpose(1, 2));
  const at::Tensor keys = turned(block, norm(block, block.key_norm, heads(apply(block.key, input))).transpose(1, 2));
  block.keys.narrow(2, block.position, 1).copy_(keys);
  block.values.narrow(2, block.position, 1).copy_(heads(apply(block.value, input)).transpose(1, 2));
  const at::ScalarType dtype = queries.scalar_type();
  const at::Tensor attended =
      causal_attention(queries, block.keys.narrow(2, first, seen).to(dtype),
                       block.values.narrow(2, first, seen).to(dtype), block.scale, std::nullopt, 0, 0)
          .transpose(1, 2)
          .reshape({1, 1, -1});
  const at::Tensor between = block.hidden.add(norm(block, block.attention_output_norm, apply(block.output, attended)));
  const at::Tensor inner = norm(block, block.mlp_norm, between);
  const at::Tensor product = activated(block, apply(block.gate, inner), apply(block.up, inner));
  return between.add(norm(block, block.mlp_output_norm, apply(block.down, product)));
}

}  // namespace panatune::decode

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def(
      "decode_block(Tensor hidden, Tensor[] tensors, int[] layout, Tensor(a!) keys, Tensor(b!) values, int position, "
      "Tensor? cos, Tensor? sin, float scale, int window, float eps, bool one_plus, str activation) -> Tensor");
}
TORCH_LIBRARY_IMPL(panatune, CPU, m) { m.impl("decode_block", panatune::decode::on_cpu); }
TORCH_LIBRARY_IMPL(panatune, CompositeExplicitAutograd, m) { m.impl("decode_block", panatune::decode::elsewhere); }
