package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.format.TensorFile;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.ModelFixtures;
import dev.panatune.model.PretrainedModel;
import dev.panatune.nn.Linear;
import dev.panatune.nn.QuantizedLinear;
import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Adapters that PEFT saved, against what PEFT computes with them. */
class PeftParityTest {
  private static final double TOLERANCE = 2e-5;

  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"untied", "tied"})
  void logitsWithAnAdapterAreThoseOfPeft(String base) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(base, DType.FLOAT32)) {
      Map<String, Tensor> golden = golden(base + "_adapter_logits");
      Map<String, Tensor> without = golden(base + "_logits");
      PeftModel adapted =
          PeftModel.load(loaded.model(), ModelFixtures.parity(base + "_adapter"), false);
      Tensor expected = golden.get("float32");
      assertClose(expected, logits(loaded, golden));
      assertTrue(
          error(expected, without.get("float32")) > 0.01, "the adapter must move the logits");

      adapted.mergeAndUnload(MergeOptions.DENSE);
      assertClose(expected, logits(loaded, golden));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"untied", "tied"})
  void bf16LogitsAreAsNearToFp32AsPefts(String base) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(base, DType.BFLOAT16)) {
      Map<String, Tensor> golden = golden(base + "_adapter_logits");
      PeftModel.load(loaded.model(), ModelFixtures.parity(base + "_adapter"), false);
      Tensor exact = golden.get("float32");
      double ours = logits(loaded, golden).to(DType.FLOAT32).sub(exact).norm().item();
      double theirs = golden.get("bfloat16").to(DType.FLOAT32).sub(exact).norm().item();
      assertTrue(ours <= 1.15 * theirs, "off by " + ours + ", PEFT by " + theirs);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"float32", "bfloat16"})
  void mergedWeightsAreThoseOfPeft(String dtype) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load("untied", DType.parse(dtype))) {
      PeftModel.load(loaded.model(), ModelFixtures.parity("untied_adapter"), false)
          .mergeAndUnload(MergeOptions.DENSE);
      int compared = 0;
      for (Map.Entry<String, Tensor> entry : golden("untied_adapter_merged").entrySet()) {
        if (entry.getKey().startsWith(dtype + ".")) {
          String name = entry.getKey().substring(dtype.length() + 1);
          Tensor merged = loaded.model().parameter(name);
          assertEquals(entry.getValue().dtype(), merged.dtype());
          // A sum on the edge between two bf16 values may fall either way.
          double allowed = dtype.equals("float32") ? 1e-6 : 4e-3;
          assertTrue(
              error(merged.to(DType.FLOAT32), entry.getValue().to(DType.FLOAT32)) <= allowed);
          compared++;
        }
      }
      assertEquals(2, compared);
    }
  }

  @Test
  void a4BitBaseWithAnAdapterAndMergedIsAsInPeft() {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load4Bit()) {
      Map<String, Tensor> golden = golden("untied_adapter_4bit");
      PeftModel adapted =
          PeftModel.load(loaded.model(), ModelFixtures.parity("untied_adapter"), false);
      assertClose(golden.get("adapter_logits"), logits(loaded, golden));

      MergeReport report = adapted.mergeAndUnload(MergeOptions.REQUANTIZE);
      assertTrue(report.overall() > 0.01, "4 bits cannot hold the sum exactly");
      assertClose(golden.get("merged_logits"), logits(loaded, golden));
      QuantizedLinear layer = (QuantizedLinear) loaded.model().child("model.layers.0.mlp.up_proj");
      assertEquals(DType.FLOAT32, layer.weight().dtype());
    }
  }

  @Test
  void a4BitBaseMergedDenseKeepsTheAdaptersLogits() {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load4Bit()) {
      Map<String, Tensor> golden = golden("untied_adapter_4bit");
      MergeReport report =
          PeftModel.load(loaded.model(), ModelFixtures.parity("untied_adapter"), false)
              .mergeAndUnload(new MergeOptions(DType.FLOAT32, false));
      assertEquals(0, report.overall());
      assertClose(golden.get("adapter_logits"), logits(loaded, golden));
      assertEquals(Linear.class, loaded.model().child("model.layers.0.mlp.up_proj").getClass());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"untied", "tied"})
  void whatPeftSavedIsSavedAgainWithTheSameNamesAndBits(String base) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(base, DType.FLOAT32)) {
      Path adapter = ModelFixtures.parity(base + "_adapter");
      PeftModel.load(loaded.model(), adapter, true).save(directory, null);
      Map<String, Tensor> theirs = TensorFile.read(adapter.resolve(AdapterFiles.WEIGHTS));
      Map<String, Tensor> ours = TensorFile.read(directory.resolve(AdapterFiles.WEIGHTS));
      assertEquals(theirs.keySet(), ours.keySet());
      theirs.forEach(
          (name, tensor) -> assertArrayEquals(tensor.toFloats(), ours.get(name).toFloats(), name));
    }
  }

  private static PretrainedModel load(String base, DType dtype) {
    return PretrainedModel.load(ModelFixtures.parity(base), LoadOptions.stored().withDtype(dtype));
  }

  private static PretrainedModel load4Bit() {
    return PretrainedModel.load(
        ModelFixtures.parity("untied"),
        LoadOptions.stored()
            .withDtype(DType.FLOAT32)
            .withQuantization(QuantConfig.qlora(DType.FLOAT32)));
  }

  private static Map<String, Tensor> golden(String name) {
    return TensorFile.read(ModelFixtures.parity(name + ".safetensors"));
  }

  private static Tensor logits(PretrainedModel loaded, Map<String, Tensor> golden) {
    try (GradMode _ = GradMode.disable()) {
      return loaded.model().logits(golden.get("input_ids"));
    }
  }

  private static void assertClose(Tensor expected, Tensor actual) {
    double error = error(actual, expected);
    assertTrue(error <= TOLERANCE, "off by " + error);
  }

  /** The largest difference, as a share of the largest of the expected. */
  private static double error(Tensor actual, Tensor expected) {
    return actual.sub(expected).abs().max().item() / expected.abs().max().item();
  }
}
