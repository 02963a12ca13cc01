package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.TensorFile;
import dev.panatune.model.CausalLM;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

@ExtendWith(OneThread.class)
class FullFineTuningTest {
  @TempDir private Path directory;

  /** A bf16 model whose head is its embedding. */
  private static CausalLM tied() {
    return CausalLM.random(
        TinyAdapter.config(Map.of("tie_word_embeddings", true)), 7, DType.BFLOAT16);
  }

  private static FullFineTuning training(CausalLM model) {
    return new FullFineTuning(
        model, target -> TensorFile.write(target.resolve("model.safetensors"), weights(model)));
  }

  private static Map<String, Tensor> weights(CausalLM model) {
    return model.namedParameters();
  }

  private TrainingArgumentsBuilder arguments() {
    return TrainingArguments.builder()
        .outputDir(directory)
        .perDeviceTrainBatchSize(3)
        .gradientAccumulationSteps(2)
        .maxSteps(4)
        .learningRate(1e-3)
        .weightDecay(0.1)
        .saveStrategy(SaveStrategy.NO);
  }

  private Map<String, float[]> train(TrainingArguments arguments) {
    try (CausalLM model = tied()) {
      Trainer.of(training(model), arguments).trainOn(TinyAdapter.examples(22)).train();
      Map<String, float[]> values = new LinkedHashMap<>();
      weights(model).forEach((name, weight) -> values.put(name, weight.toFloats()));
      return values;
    }
  }

  private static void assertSame(Map<String, float[]> wanted, Map<String, float[]> found) {
    assertEquals(wanted.keySet(), found.keySet());
    wanted.forEach((name, values) -> assertArrayEquals(values, found.get(name), name));
  }

  @Test
  void allWeightsBecomeFloat32MastersAndTheTiedOneStaysOne() {
    try (CausalLM model = tied();
        TensorScope _ = TensorScope.open()) {
      Map<String, Tensor> before = new LinkedHashMap<>();
      weights(model).forEach((name, weight) -> before.put(name, weight.to(DType.FLOAT32)));
      FullFineTuning training = training(model);
      assertEquals(before.keySet(), training.trainableParameters().keySet());
      assertFalse(before.containsKey("lm_head.weight"));
      training
          .trainableParameters()
          .forEach((name, weight) -> {
            assertTrue(weight.requiresGrad(), name);
            assertTrue(weight.equal(before.get(name)), name);
          });
    }
  }

  @Test
  void theNarrowWeightsAreFreed() {
    long before = NativeMemory.liveBytes();
    try (CausalLM model = tied()) {
      long narrow = NativeMemory.liveBytes() - before;
      long parameters = weights(model).values().stream().mapToLong(Tensor::numel).sum();
      training(model);
      assertEquals(
          narrow + parameters * (DType.FLOAT32.byteSize() - DType.BFLOAT16.byteSize()),
          NativeMemory.liveBytes() - before);
    }
    assertEquals(before, NativeMemory.liveBytes());
  }

  /** A tied head's gradient has two parts, which must be added in the order of the plain pass. */
  @Test
  void gradientCheckpointingChangesNoBit() {
    assertSame(train(arguments().build()), train(arguments().gradientCheckpointing(true).build()));
    assertSame(
        train(arguments().bf16(true).build()),
        train(arguments().bf16(true).gradientCheckpointing(true).build()));
  }

  @Test
  void resumingChangesNoBit() {
    TrainingArgumentsBuilder saving = arguments().saveStrategy(SaveStrategy.STEPS).saveSteps(2);
    Map<String, float[]> unbroken = train(saving.build());
    String middle = directory.resolve("checkpoint-2").toString();
    assertSame(unbroken, train(saving.resumeFromCheckpoint(middle).build()));
  }

  @Test
  void anAdaptedModelIsRefused() {
    try (TinyAdapter adapter = TinyAdapter.create(0)) {
      CausalLM model = adapter.model();
      ConfigurationException e = assertThrows(ConfigurationException.class, () -> training(model));
      assertTrue(e.getMessage().contains("self_attn.q_proj: Update"), e.getMessage());
      assertTrue(e.getMessage().contains("load_in_4bit"), e.getMessage());
    }
  }
}
