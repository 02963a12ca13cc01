package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.nn.Linear;
import dev.panatune.nn.LinearLayer;
import dev.panatune.nn.Module;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.List;

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
      DType dtype = options.dtype() == null ? stored : options.dtype();
      model.swapParameter(path, master.detach().to(dtype).keep());
    }
  }

  private void merge(String path, LoraLinear layer) {
    try (TensorScope _ = TensorScope.open()) {
      LinearLayer merged =
          switch (layer.base()) {
            case Linear dense -> merged(path, layer, dense);
            default ->
                throw new ConfigurationException(
                    path
                        + " is a "
                        + layer.base().getClass().getSimpleName()
                        + ", which cannot be merged into");
          };
      model.replaceChild(path, (Module) merged);
      layer.close();
    }
  }

  private Linear merged(String path, LoraLinear layer, Linear dense) {
    Tensor exact = dense.weight().to(DType.FLOAT32).add(layer.delta());
    DType dtype = options.dtype() == null ? dense.weight().dtype() : options.dtype();
    Tensor weight = exact.to(dtype).keep();
    record(path, layer, exact, weight);
    return new Linear(weight, dense.bias().map(bias -> bias.to(dtype).keep()).orElse(null));
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
