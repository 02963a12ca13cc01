package dev.panatune.peft;

import dev.panatune.model.CausalLM;
import dev.panatune.nn.Module;
import dev.panatune.tensor.GradMode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * A merge that can be undone: the layers themselves are kept beside the merged ones, so that
 * undoing it gives back the same tensors, bit for bit.
 */
final class MergeInPlace {
  private final CausalLM model;
  private final SequencedMap<String, Module> originals = new LinkedHashMap<>();
  private final MergeReport report;

  /** Merges adapters one after another, which stay around their layers. */
  MergeInPlace(
      CausalLM model,
      List<? extends Map<String, ? extends MergeableLayer>> adapters,
      MergeOptions options) {
    this.model = model;
    try (GradMode _ = GradMode.disable()) {
      LayerMerger merger = new LayerMerger(model, adapters, options);
      merger.paths().forEach(path -> replace(path, merger.merged(path)));
      report = merger.report();
    }
  }

  private void replace(String path, Module merged) {
    String inner = OriginalModules.innerPath(model, path);
    Module original = model.child(inner);
    model.replaceChild(inner, merged);
    model.closeAlso(original);
    originals.put(path, original);
  }

  MergeReport report() {
    return report;
  }

  /** Puts the layers themselves back. */
  void undo() {
    originals.forEach((path, original) -> {
      String inner = OriginalModules.innerPath(model, path);
      Module merged = model.child(inner);
      model.replaceChild(inner, original);
      merged.close();
    });
  }
}
