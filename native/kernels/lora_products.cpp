#include "lora_products.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>

#include "cpu.h"
#include "row_product.h"

namespace panatune {
namespace {

// Elements of one panel of the weight in scratch: 4 MB of fp32, so that it is still in the cache when the GEMM packs
// it; but never fewer columns of the result than a GEMM is fast for.
constexpr int64_t kPanelElements = 1 << 20;
constexpr int64_t kLeastColumns = 256;

int64_t panel_columns(int64_t depth, int64_t columns) {
  return std::min(columns, std::max(kLeastColumns, kPanelElements / std::max<int64_t>(1, depth)));
}

// The type of the scratch that products are formed in: the compute type where its GEMM is fast, else fp32.
at::ScalarType scratch_type(at::ScalarType compute) { return fast_gemm(compute) ? compute : at::kFloat; }

int64_t rank(const LoraLayer& layer) { return layer.a.size(0); }

std::vector<int64_t> ranks(const std::vector<LoraLayer>& layers) {
  std::vector<int64_t> sizes;
  std::transform(layers.begin(), layers.end(), std::back_inserter(sizes), rank);
  return sizes;
}

bool drops(const std::vector<LoraLayer>& layers) {
  return std::any_of(layers.begin(), layers.end(), [](const LoraLayer& layer) { return layer.dropout.active(); });
}

// All layers' A, one below the other, in `dtype`.
at::Tensor joined_a(const std::vector<LoraLayer>& layers, at::ScalarType dtype) {
  std::vector<at::Tensor> parts;
  for (const LoraLayer& layer : layers) {
    parts.push_back(layer.a.to(dtype));
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts);
}

// dropout(x) A^T of every layer, in x's dtype.
std::vector<at::Tensor> inner_products(const at::Tensor& x, const std::vector<LoraLayer>& layers) {
  if (!drops(layers)) {
    return at::mm(x, joined_a(layers, x.scalar_type()).t()).split_with_sizes(ranks(layers), 1);
  }
  std::vector<at::Tensor> products;
  for (const LoraLayer& layer : layers) {
    const at::Tensor dropped = layer.dropout.active() ? layer.dropout.apply(x, x.scalar_type()) : x;
    products.push_back(at::mm(dropped, layer.a.to(x.scalar_type()).t()));
  }
  return products;
}

// [x, inner] times the transposed [W, scaling B] of a layer, in fp32.
at::Tensor folded_rows(const at::Tensor& left, const LoraLayer& layer, at::ScalarType result) {
  const int64_t in = layer.a.size(1), out = layer.b.size(0), rank = layer.b.size(1);
  const at::Tensor update = layer.b.to(at::kFloat).mul(layer.scaling).contiguous();
  const float* const update_rows = update.const_data_ptr<float>();
  const RowReader weight = layer.weight.rows();
  const auto read = [&](int64_t row, int64_t column, int64_t count, float* to) {
    const int64_t own = std::clamp<int64_t>(in - column, 0, count);
    if (own > 0) {
      weight(row, column, own, to);
    }
    if (own < count) {
      std::copy_n(update_rows + row * rank + column + own - in, count - own, to + own);
    }
  };
  return multiply_rows(left, out, read, layer.bias, result);
}

// The same in half precision, a panel of the result's columns at a time.
at::Tensor folded_panels(const at::Tensor& left, const LoraLayer& layer, at::ScalarType result) {
  const int64_t rows = left.size(0), depth = left.size(1), in = layer.a.size(1), out = layer.b.size(0);
  at::Tensor output = at::empty({rows, out}, left.options().dtype(result));
  const int64_t step = panel_columns(depth, out);
  at::Tensor panels = at::empty({step, depth}, left.options());
  at::Tensor products = result == left.scalar_type() ? at::Tensor() : at::empty({rows, step}, left.options());
  for (int64_t n = 0; n < out; n += step) {
    const int64_t width = std::min(step, out - n);
    const at::Tensor panel = panels.narrow(0, 0, width);
    layer.weight.read(n, 0, panel.narrow(1, 0, in));
    panel.narrow(1, in, depth - in).copy_(layer.b.narrow(0, n, width)).mul_(layer.scaling);
    at::Tensor part = output.narrow(1, n, width);
    at::Tensor product = products.defined() ? products.narrow(1, 0, width) : part;
    at::mm_out(product, left, panel.t());
    if (layer.bias.defined()) {
      product.add_(layer.bias.narrow(0, n, width));
    }
    if (products.defined()) {
      part.copy_(product);
    }
  }
  return output;
}

// The gradients of A and B of a layer from those of its inner product and its output.
void fill(LoraGradients& gradients, const LoraLayer& layer, const at::Tensor& output, const at::Tensor& for_inner,
          const at::Tensor& x) {
  if (gradients.wants_a) {
    const at::Tensor seen = layer.dropout.active() ? layer.dropout.apply(x, x.scalar_type()) : x;
    gradients.for_a = at::mm(for_inner.t(), seen).to(layer.a.scalar_type());
  }
  if (gradients.wants_b) {
    const at::Tensor inner = gradients.inner.to(output.scalar_type());
    gradients.for_b = at::mm(output.t(), inner).to(layer.b.scalar_type()).mul_(layer.scaling);
  }
}

// The columns of `left` that belong to a layer: the gradient of its output and, beside it, of its inner product. Under
// dropout the latter goes through the mask on its own.
int64_t depth_of(const LoraLayer& layer) { return layer.b.size(0) + (layer.dropout.active() ? 0 : rank(layer)); }

// sum [rows, in] (+)= left times all layers' [W; A], one below the other, a panel of the columns at a time.
void add_product(const at::Tensor& sum, const at::Tensor& left, c10::ArrayRef<LoraLayer> layers, bool first) {
  const int64_t in = sum.size(1), depth = left.size(1), step = panel_columns(depth, in);
  const at::Tensor panels = at::empty({depth, step}, left.options());
  for (int64_t n = 0; n < in; n += step) {
    const int64_t width = std::min(step, in - n);
    const at::Tensor panel = panels.narrow(1, 0, width);
    int64_t row = 0;
    for (const LoraLayer& layer : layers) {
      const int64_t out = layer.b.size(0);
      layer.weight.read(0, n, panel.narrow(0, row, out));
      if (!layer.dropout.active()) {
        panel.narrow(0, row + out, rank(layer)).copy_(layer.a.narrow(1, n, width));
      }
      row += depth_of(layer);
    }
    at::Tensor part = sum.narrow(1, n, width);
    first ? at::mm_out(part, left, panel) : part.addmm_(left, panel);
  }
}

}  // namespace

LoraResults lora_forward(const at::Tensor& input, const std::vector<LoraLayer>& layers, at::ScalarType compute) {
  LoraResults results;
  const std::vector<int64_t> sizes = ranks(layers);
  const int64_t in = input.size(1), widest = *std::max_element(sizes.begin(), sizes.end());
  const auto options = input.options().dtype(scratch_type(compute));
  const at::Tensor left = at::empty({input.size(0), in + widest}, options);
  const at::Tensor x = left.narrow(1, 0, in).copy_(input.to(compute));
  const std::vector<at::Tensor> inner = inner_products(x, layers);
  for (size_t i = 0; i < layers.size(); ++i) {
    left.narrow(1, in, sizes[i]).copy_(inner[i]);
    const auto folded = left.scalar_type() == at::kFloat ? folded_rows : folded_panels;
    results.outputs.push_back(folded(left.narrow(1, 0, in + sizes[i]), layers[i], input.scalar_type()));
    results.inner.push_back(inner[i].to(compute).contiguous());
  }
  return results;
}

at::Tensor lora_backward(const at::Tensor& input, const std::vector<LoraLayer>& layers,
                         std::vector<LoraGradients>& gradients, bool wants_input, at::ScalarType compute) {
  const at::ScalarType scratch = scratch_type(compute);
  const at::Tensor x = input.to(compute).to(scratch);
  const at::Tensor sum = wants_input ? at::empty(x.sizes(), x.options()) : at::Tensor();
  // In fp32 the layers' products are added up one by one; in half precision all of them are one product, so that their
  // sum is rounded once.
  const size_t together = scratch == at::kFloat ? 1 : layers.size();
  for (size_t from = 0; from < layers.size(); from += together) {
    const c10::ArrayRef<LoraLayer> part(&layers[from], together);
    int64_t depth = 0;
    for (const LoraLayer& layer : part) {
      depth += depth_of(layer);
    }
    const at::Tensor left = at::empty({x.size(0), depth}, x.options());
    std::vector<at::Tensor> for_inner;
    int64_t column = 0;
    for (size_t i = 0; i < together; ++i) {
      const LoraLayer& layer = part[i];
      const int64_t out = layer.b.size(0);
      const at::Tensor output = left.narrow(1, column, out).copy_(gradients[from + i].output);
      for_inner.push_back(at::mm(output, layer.b.to(scratch)).mul_(layer.scaling));
      fill(gradients[from + i], layer, output, for_inner[i], x);
      if (!layer.dropout.active()) {
        left.narrow(1, column + out, rank(layer)).copy_(for_inner[i]);
      }
      column += depth_of(layer);
    }
    if (wants_input) {
      add_product(sum, left, part, from == 0);
      for (size_t i = 0; i < together; ++i) {
        if (part[i].dropout.active()) {
          part[i].dropout.add_masked(sum, at::mm(for_inner[i], part[i].a.to(scratch)));
        }
      }
    }
  }
  return wants_input ? sum.to(input.scalar_type()) : at::Tensor();
}

}  // namespace panatune
