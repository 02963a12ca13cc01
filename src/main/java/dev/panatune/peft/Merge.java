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
  private final Adaptation adaptation;
  private final MergeOptions options;
  private final List<MergeReport.LayerDrift> drifts = new ArrayList<>();
  private double squaredError;
  private double squaredNorm;

  Merge(CausalLM model, Adaptation adaptation, MergeOptions options) {
    this.model = model;
    this.adaptation = adaptation;
    this.options = options;
  }

  MergeReport run() {
    checkHead();
    try (GradMode _ = GradMode.disable()) {
      adaptation.storedTypes().forEach(this::settle);
      adaptation.layers().forEach(this::merge);
      if (!options.requantize()) {
        model.namedModules().forEach(this::unpack);
      }
    }
    model.setTrainable(false);
    return new MergeReport(
        List.copyOf(drifts), squaredNorm == 0 ? 0 : Math.sqrt(squaredError / squaredNorm));
  }

  private void checkHead() {
    if (model.config().tiedHead() && adaptation.layers().containsKey("lm_head")) {
      throw new ConfigurationException(
          "lm_head has an adapter, but this model ties it to its embeddings: merging would change"
              + " those too; keep the adapter beside the model");
    }
  }

  /** A parameter that was trained whole takes its model's type. */
  private void settle(String path, DType stored) {
    try (TensorScope _ = TensorScope.open();
        Tensor master = model.parameter(path)) {
      model.swapParameter(path, master.detach().to(target(stored)).keep());
    }
  }

  private void merge(String path, LoraLinear layer) {
    try (TensorScope _ = TensorScope.open()) {
      Module merged =
          switch (layer.base()) {
            case Linear dense -> {
              DType dtype = target(dense.weight().dtype());
              Tensor exact = dense.weight().to(DType.FLOAT32).add(layer.delta());
              yield dense(path, layer, exact, dtype, dense.bias());
            }
            case QuantizedLinear packed -> {
              Tensor exact = dequantized(packed).to(DType.FLOAT32).add(layer.delta());
              yield options.requantize()
                  ? quantized(path, layer, exact, packed)
                  : dense(path, layer, exact, target(packed.weight().dtype()), packed.bias());
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

  private Linear dense(
      String path, LoraLinear layer, Tensor exact, DType dtype, Optional<Tensor> bias) {
    Tensor weight = exact.to(dtype).keep();
    record(path, layer, exact, weight);
    return new Linear(weight, copied(bias, dtype));
  }

  /** As PEFT does it: the sum is quantised in float32, with the base's settings. */
  private QuantizedLinear quantized(
      String path, LoraLinear layer, Tensor exact, QuantizedLinear base) {
    QuantizedTensor weight = QuantizedTensor.quantize(exact, base.weight().config());
    record(path, layer, exact, weight.dequantize(DType.FLOAT32));
    return new QuantizedLinear(weight, base.bias().map(bias -> bias.clone().keep()).orElse(null));
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

  private void record(String path, LoraLinear layer, Tensor exact, Tensor merged) {
    double norm = exact.norm().item();
    double error = merged.to(DType.FLOAT32).sub(exact).norm().item();
    double update = layer.delta().norm().item();
    squaredNorm += norm * norm;
    squaredError += error * error;
    drifts.add(new MergeReport.LayerDrift(path, ratio(error, norm), ratio(update, norm)));
  }

  private static double ratio(double part, double whole) {
    return whole == 0 ? 0 : part / whole;
  }
}
