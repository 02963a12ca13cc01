package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.Embedding;
import dev.panatune.nn.Linear;
import dev.panatune.nn.Module;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/** Makes merged layers of a model's layers and adapters, and says how far they are from exact. */
final class LayerMerger {
  private static final Op ISFINITE = Op.find("aten::isfinite", "");

  private final CausalLM model;
  private final String head;
  private final SequencedMap<String, List<MergeableLayer>> layers = new LinkedHashMap<>();
  private final MergeOptions options;
  private final List<MergeReport.LayerDrift> drifts = new ArrayList<>();
  private double squaredError;
  private double squaredNorm;

  /** A weight and what it would be if nothing were rounded, both float32. */
  private record Sum(Tensor start, Tensor exact) {}

  /**
   * Several adapters, to be merged one after another.
   *
   * @param adapters their layers by the paths that they had in the model
   */
  LayerMerger(
      CausalLM model,
      List<? extends Map<String, ? extends MergeableLayer>> adapters,
      MergeOptions options) {
    this.model = model;
    head = model.config().headName();
    this.options = options;
    for (Map<String, ? extends MergeableLayer> adapter : adapters) {
      checkTied(adapter);
      adapter.forEach(
          (path, layer) -> layers.computeIfAbsent(path, _ -> new ArrayList<>()).add(layer));
    }
    layers.forEach(this::check);
  }

  /** The paths of the layers that are merged, embeddings before a head that is tied to them. */
  List<String> paths() {
    return List.copyOf(layers.keySet());
  }

  MergeReport report() {
    return new MergeReport(
        List.copyOf(drifts), squaredNorm == 0 ? 0 : Math.sqrt(squaredError / squaredNorm));
  }

  private void checkTied(Map<String, ? extends MergeableLayer> adapter) {
    if (!model.config().tiedHead() || follows(adapter.get(head))) {
      return;
    }
    adapter.forEach((path, layer) -> {
      if (path.equals(head) || inner(layer) instanceof Embedding) {
        throw new ConfigurationException(
            path
                + " has an adapter, but this model ties its head to its embeddings: merging would"
                + " change both; keep the adapter beside the model");
      }
    });
  }

  private void check(String path, List<MergeableLayer> adapters) {
    Module inner = inner(adapters.getFirst());
    BaseWeight base =
        BaseWeight.of(inner)
            .orElseThrow(() ->
                new ConfigurationException(
                    "%s is a %s, which an adapter cannot be merged into"
                        .formatted(path, inner.getClass().getSimpleName())));
    for (MergeableLayer layer : adapters) {
      if (layer instanceof LoraLinear lora && lora.hasBias() && base.bias().isEmpty()) {
        throw new ConfigurationException(
            path
                + " has no bias, and the adapter's own (lora_bias) has nothing to be merged into;"
                + " keep the adapter beside the model");
      }
      if (options.safeMerge()) {
        try (TensorScope _ = TensorScope.open()) {
          checkFinite(path, layer.mergedInto(base.exact()));
          base.bias().ifPresent(bias -> checkFinite(path, layer.mergedIntoBias(exact(bias))));
        }
      }
    }
  }

  private static void checkFinite(String path, Tensor merged) {
    if (ISFINITE.call(merged).all().itemLong() == 0) {
      throw new ConfigurationException(
          path + " would not be finite when merged: the adapter is broken; nothing was merged");
    }
  }

  private static Module inner(MergeableLayer layer) {
    return OriginalModules.inner((Module) layer);
  }

  private static boolean follows(MergeableLayer layer) {
    return layer instanceof TokenHead head && head.isTied();
  }

  /** The layer at a path with its adapters in its weight; the caller's. */
  Module merged(String path) {
    try (TensorScope _ = TensorScope.open()) {
      return follows(layers.get(path).getFirst()) ? tied() : combined(path);
    }
  }

  /** The head over the embeddings, which are merged before it. */
  private Linear tied() {
    Module embeddings = OriginalModules.inner(model.child(model.config().embeddingName()));
    return new Linear(((Embedding) embeddings).weight(), null);
  }

  /** As PEFT does it: one after another, each rounded to the layer's type. */
  private Module combined(String path) {
    Module original = inner(layers.get(path).getFirst());
    Module current = original;
    Tensor start = BaseWeight.of(original).orElseThrow().exact();
    Tensor exact = start;
    for (MergeableLayer layer : layers.get(path)) {
      Module next = with(layer, BaseWeight.of(current).orElseThrow());
      exact = layer.mergedInto(exact);
      if (current != original) {
        current.close();
      }
      current = next;
    }
    record(path, new Sum(start, exact), BaseWeight.of(current).orElseThrow().exact());
    return current;
  }

  private Module with(MergeableLayer layer, BaseWeight base) {
    Tensor exact = layer.mergedInto(base.exact());
    DType dtype = options.target(base.dtype());
    boolean stays = base instanceof BaseWeight.Packed && options.requantize();
    DType biasType = stays ? base.bias().map(Tensor::dtype).orElse(dtype) : dtype;
    Optional<Tensor> bias =
        base.bias()
            .map(
                tensor -> layer.mergedIntoBias(exact(tensor)).to(biasType).detach().clone().keep());
    return base instanceof BaseWeight.Packed(QuantizedLinear packed) && !stays
        ? (Module) packed.dense(exact.to(dtype).clone().keep(), bias.orElse(null))
        : base.layer(exact, bias.orElse(null), dtype);
  }

  private static Tensor exact(Tensor bias) {
    return bias.detach().to(DType.FLOAT32);
  }

  private void record(String path, Sum sum, Tensor merged) {
    double norm = sum.exact.norm().item();
    double error = merged.sub(sum.exact).norm().item();
    double update = sum.exact.sub(sum.start).norm().item();
    squaredNorm += norm * norm;
    squaredError += error * error;
    drifts.add(new MergeReport.LayerDrift(path, ratio(error, norm), ratio(update, norm)));
  }

  private static double ratio(double part, double whole) {
    return whole == 0 ? 0 : part / whole;
  }
}
