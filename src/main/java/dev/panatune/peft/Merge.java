package dev.panatune.peft;

import dev.panatune.model.CausalLM;
import dev.panatune.nn.Module;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.List;
import java.util.Map;

/** One merge of adapters into their model for good: what is left is a plain model. */
final class Merge {
  private final CausalLM model;
  private final LayerMerger merger;
  private final List<WholeParameters> wholes;
  private final MergeOptions options;

  /**
   * A merge of adapters one after another.
   *
   * @param adapters their layers by the paths that they had in the model
   * @param wholes what is trained whole with them
   * @throws dev.panatune.error.ConfigurationException if they cannot be merged
   */
  Merge(
      CausalLM model,
      List<? extends Map<String, ? extends MergeableLayer>> adapters,
      List<WholeParameters> wholes,
      MergeOptions options) {
    this.model = model;
    this.wholes = wholes;
    this.options = options;
    try (GradMode _ = GradMode.disable()) {
      merger = new LayerMerger(model, adapters, options);
    }
  }

  MergeReport run() {
    try (GradMode _ = GradMode.disable()) {
      wholes.forEach(whole -> whole.settle(model, options::target));
      merger.paths().forEach(path -> replace(path, merger.merged(path)));
      if (!options.requantize()) {
        model.namedModules().forEach(this::unpack);
      }
    }
    model.noteUntiedHead();
    model.setTrainable(false);
    return merger.report();
  }

  private void replace(String path, Module merged) {
    Module adapted = model.child(path);
    model.replaceChild(path, merged);
    adapted.close();
  }

  /** What had no adapter becomes dense as well, so that a plain model is left. */
  private void unpack(Map.Entry<String, Module> entry) {
    if (entry.getValue() instanceof QuantizedLinear packed) {
      try (TensorScope _ = TensorScope.open()) {
        DType dtype = options.target(packed.weight().dtype());
        Tensor weight = packed.weight().dequantize(packed.weight().dtype());
        Tensor bias = packed.bias().map(tensor -> copy(tensor, dtype)).orElse(null);
        model.replaceChild(entry.getKey(), (Module) packed.dense(copy(weight, dtype), bias));
        packed.close();
      }
    }
  }

  private static Tensor copy(Tensor tensor, DType dtype) {
    return tensor.detach().to(dtype).clone().keep();
  }
}
