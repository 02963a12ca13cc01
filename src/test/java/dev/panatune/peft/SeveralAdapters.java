package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.TensorFile;
import dev.panatune.model.CausalLM;
import dev.panatune.model.PretrainedModel;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.function.Consumer;
import org.junit.jupiter.api.function.Executable;

/**
 * Several adapters on one model, and what PEFT computes with them ({@code
 * make_adapters_fixtures.py}).
 */
final class SeveralAdapters {
  private static final double TOLERANCE = 2e-5;

  private SeveralAdapters() {}

  /** Does something with adapters under their own names on a fresh base; the first is active. */
  static void withAdapters(Consumer<PeftModel> use, String... names) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(names[0])) {
      PeftModel adapted = adapter(loaded, names[0]);
      for (int i = 1; i < names.length; i++) {
        adapted.loadAdapter(names[i], LoraFixtures.named(names[i]).adapter(), true);
      }
      use.accept(adapted);
    }
  }

  static PretrainedModel load(String name) {
    return LoraFixtures.named(name).load();
  }

  static PeftModel adapter(PretrainedModel loaded, String name) {
    return PeftModel.load(loaded.model(), LoraFixtures.named(name).adapter(), true, name);
  }

  static void assertGolden(String name, PeftModel adapted) {
    assertClose(golden(name), logits(adapted.model()));
  }

  static Tensor golden(String name) {
    return TensorFile.read(LoraFixtures.folder("several").resolve("logits.safetensors")).get(name);
  }

  static Tensor logits(CausalLM model) {
    try (GradMode _ = GradMode.disable()) {
      return model.logits(LoraFixtures.probe());
    }
  }

  static void assertClose(Tensor expected, Tensor found) {
    double error = found.sub(expected).abs().max().item() / expected.abs().max().item();
    assertTrue(error <= TOLERANCE, "off by " + error);
  }

  static void assertRefused(String part, Executable action) {
    var error = assertThrows(ConfigurationException.class, action);
    assertTrue(error.getMessage().contains(part), error.getMessage());
  }
}
