package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.Embedding;
import dev.panatune.nn.Linear;
import dev.panatune.nn.Module;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One merge of an adapter into its model, layer by layer. */
final class Merge {
  private static final String HEAD = "lm_head";
  private static final Op ISFINITE = Op.find("aten::isfinite", "");

  private final CausalLM model;
  private final Map<String, ? extends MergeableLayer> layers;
  private final WholeParameters whole;
  private final MergeOptions options;
  private final List<MergeReport.LayerDrift> drifts = new ArrayList<>();
  private double squaredError;
  private double squaredNorm;

  /** A layer's weight before rounding, float32: as it was, and with the adapter in it. */
  private record Sum(String path, Tensor weight, Tensor exact) {}

  Merge(
      CausalLM model,
      Map<String, ? extends MergeableLayer> layers,
      WholeParameters whole,
      MergeOptions options) {
    this.model = model;
    this.layers = layers;
    this.whole = whole;
    this.options = options;
  }

  MergeReport run() {
    try (GradMode _ = GradMode.disable()) {
      checkTied();
      layers.forEach(this::check);
      whole.castBack(this::target);
      layers.forEach(this::merge);
      if (!options.requantize()) {
        model.namedModules().forEach(this::unpack);
      }
    }
    model.setTrainable(false);
    return new MergeReport(
        List.copyOf(drifts), squaredNorm == 0 ? 0 : Math.sqrt(squaredError / squaredNorm));
  }

  private void checkTied() {
    if (!model.config().tiedHead() || follows(layers.get(HEAD))) {
      return;
    }
    layers.forEach((path, layer) -> {
      if (path.equals(HEAD) || inner(layer) instanceof Embedding) {
        throw new ConfigurationException(
            path
                + " has an adapter, but this model ties its head to its embeddings: merging"
                + " would change both; keep the adapter beside the model");
      }
    });
  }

  private void check(String path, MergeableLayer layer) {
    BaseWeight base =
        BaseWeight.of(inner(layer))
            .orElseThrow(() ->
                new ConfigurationException(
                    "%s is a %s, which an adapter cannot be merged into"
                        .formatted(path, inner(layer).getClass().getSimpleName())));
    if (layer instanceof LoraLinear lora && lora.hasBias() && base.bias().isEmpty()) {
      throw new ConfigurationException(
          path
              + " has no bias, and the adapter's own (lora_bias) has nothing to be merged into;"
              + " keep the adapter beside the model");
    }
    if (options.safeMerge()) {
      try (TensorScope _ = TensorScope.open()) {
        checkFinite(path, layer.mergedInto(base.exact()));
        base.bias().ifPresent(bias -> checkFinite(path, mergedBias(layer, bias)));
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

  private void merge(String path, MergeableLayer layer) {
    try (TensorScope _ = TensorScope.open()) {
      model.replaceChild(path, follows(layer) ? tied() : merged(path, layer));
      layer.close();
    }
  }

  private static boolean follows(MergeableLayer layer) {
    return layer instanceof TokenHead head && head.isTied();
  }

  /** The head over the embeddings, which are merged before it. */
  private Linear tied() {
    return model
        .namedModules()
        .map(Map.Entry::getValue)
        .filter(Embedding.class::isInstance)
        .map(module -> new Linear(((Embedding) module).weight(), null))
        .findFirst()
        .orElseThrow();
  }

  private Module merged(String path, MergeableLayer layer) {
    BaseWeight base = BaseWeight.of(inner(layer)).orElseThrow();
    Tensor weight = base.exact();
    Sum sum = new Sum(path, weight, layer.mergedInto(weight));
    DType dtype = target(base.dtype());
    Optional<Tensor> bias = base.bias().map(tensor -> mergedBias(layer, tensor));
    boolean stays = base instanceof BaseWeight.Packed && options.requantize();
    DType biasType = stays ? base.bias().map(Tensor::dtype).orElse(dtype) : dtype;
    Tensor kept = bias.map(tensor -> copy(tensor, biasType)).orElse(null);
    Module merged =
        base instanceof BaseWeight.Packed(QuantizedLinear packed) && !stays
            ? (Module) packed.dense(copy(sum.exact, dtype), kept)
            : base.layer(sum.exact, kept, dtype);
    record(sum, BaseWeight.of(merged).orElseThrow().exact());
    return merged;
  }

  private static Tensor mergedBias(MergeableLayer layer, Tensor bias) {
    return layer.mergedIntoBias(bias.detach().to(DType.FLOAT32));
  }

  /** What had no adapter becomes dense as well, so that a plain model is left. */
  private void unpack(Map.Entry<String, Module> entry) {
    if (entry.getValue() instanceof QuantizedLinear packed) {
      try (TensorScope _ = TensorScope.open()) {
        DType dtype = target(packed.weight().dtype());
        Tensor weight = packed.weight().dequantize(packed.weight().dtype());
        Tensor bias = packed.bias().map(tensor -> copy(tensor, dtype)).orElse(null);
        model.replaceChild(entry.getKey(), (Module) packed.dense(copy(weight, dtype), bias));
        packed.close();
      }
    }
  }

  private DType target(DType own) {
    return options.dtype() == null ? own : options.dtype();
  }

  private static Tensor copy(Tensor tensor, DType dtype) {
    return tensor.detach().to(dtype).clone().keep();
  }

  private void record(Sum sum, Tensor merged) {
    double norm = sum.exact.norm().item();
    double error = merged.to(DType.FLOAT32).sub(sum.exact).norm().item();
    double update = sum.exact.sub(sum.weight).norm().item();
    squaredNorm += norm * norm;
    squaredError += error * error;
    drifts.add(new MergeReport.LayerDrift(sum.path, ratio(error, norm), ratio(update, norm)));
  }

  private static double ratio(double part, double whole) {
    return whole == 0 ? 0 : part / whole;
  }
}
