package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.Linear;
import dev.panatune.nn.Module;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.quant.QuantizedTensor;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One merge of an adapter into its model, layer by layer. */
final class Merge {
  private final CausalLM model;
  private final Map<String, ? extends AdaptedLinear> layers;
  private final WholeParameters whole;
  private final MergeOptions options;
  private final List<MergeReport.LayerDrift> drifts = new ArrayList<>();
  private double squaredError;
  private double squaredNorm;

  /** A layer's weight before rounding, float32: as it was, and with the adapter in it. */
  private record Sum(String path, Tensor weight, Tensor exact) {}

  Merge(
      CausalLM model,
      Map<String, ? extends AdaptedLinear> layers,
      WholeParameters whole,
      MergeOptions options) {
    this.model = model;
    this.layers = layers;
    this.whole = whole;
    this.options = options;
  }

  MergeReport run() {
    checkHead();
    try (GradMode _ = GradMode.disable()) {
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

  private void checkHead() {
    if (model.config().tiedHead() && layers.containsKey("lm_head")) {
      throw new ConfigurationException(
          "lm_head has an adapter, but this model ties it to its embeddings: merging would change"
              + " those too; keep the adapter beside the model");
    }
  }

  private void merge(String path, AdaptedLinear layer) {
    try (TensorScope _ = TensorScope.open()) {
      Module merged =
          switch (layer.base()) {
            case Linear dense -> {
              Tensor weight = dense.weight().to(DType.FLOAT32);
              Sum sum = new Sum(path, weight, layer.mergedInto(weight));
              yield dense(
                  sum, target(dense.weight().dtype()), dense.bias().map(layer::mergedIntoBias));
            }
            case QuantizedLinear packed -> {
              Tensor weight = dequantized(packed).to(DType.FLOAT32);
              Sum sum = new Sum(path, weight, layer.mergedInto(weight));
              Optional<Tensor> bias = packed.bias().map(layer::mergedIntoBias);
              yield options.requantize()
                  ? quantized(sum, packed, bias)
                  : dense(sum, target(packed.weight().dtype()), bias);
            }
            default ->
                throw new ConfigurationException(
                    path
                        + " is a "
                        + layer.base().getClass().getSimpleName()
                        + ", which an adapter cannot be merged into");
          };
      model.replaceChild(path, merged);
      layer.close();
    }
  }

  private Linear dense(Sum sum, DType dtype, Optional<Tensor> bias) {
    Tensor weight = sum.exact.to(dtype).keep();
    record(sum, weight);
    return new Linear(weight, copied(bias, dtype));
  }

  /** As PEFT does it: the sum is quantised in float32, with the base's settings. */
  private QuantizedLinear quantized(Sum sum, QuantizedLinear base, Optional<Tensor> bias) {
    QuantizedTensor weight = QuantizedTensor.quantize(sum.exact, base.weight().config());
    record(sum, weight.dequantize(DType.FLOAT32));
    DType dtype = base.bias().map(Tensor::dtype).orElse(DType.FLOAT32);
    return new QuantizedLinear(weight, copied(bias, dtype));
  }

  /** What had no adapter becomes dense as well, so that a plain model is left. */
  private void unpack(Map.Entry<String, Module> entry) {
    if (entry.getValue() instanceof QuantizedLinear packed) {
      try (TensorScope _ = TensorScope.open()) {
        DType dtype = target(packed.weight().dtype());
        Tensor weight = dequantized(packed).to(dtype).keep();
        model.replaceChild(entry.getKey(), new Linear(weight, copied(packed.bias(), dtype)));
        packed.close();
      }
    }
  }

  /** In the type that it was quantised from, as it is computed with. */
  private static Tensor dequantized(QuantizedLinear packed) {
    return packed.weight().dequantize(packed.weight().dtype());
  }

  private DType target(DType own) {
    return options.dtype() == null ? own : options.dtype();
  }

  private static Tensor copied(Optional<Tensor> bias, DType dtype) {
    return bias.map(tensor -> tensor.detach().to(dtype).clone().keep()).orElse(null);
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
