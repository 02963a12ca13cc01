package dev.panatune.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.ModelSaver;
import dev.panatune.model.PretrainedModel;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.AdapterTraining;
import dev.panatune.train.OneThread;
import dev.panatune.train.SamplingStrategy;
import dev.panatune.train.SaveStrategy;
import dev.panatune.train.TrainResult;
import dev.panatune.train.Trainer;
import dev.panatune.train.TrainingArguments;
import dev.panatune.train.schedule.SchedulerType;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every LoRA option, against what PEFT saves and computes with it. */
@ExtendWith(OneThread.class)
class LoraParityTest {
  private static final double LOGITS = 2e-5;
  private static final double LOSS = 1e-5;
  private static final double WEIGHTS = 1e-3;

  @TempDir private Path directory;

  static List<LoraFixtures.Case> cases() {
    return LoraFixtures.cases();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void whatPeftSavedComputesTheSameAndIsSavedAlike(LoraFixtures.Case fixture) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = fixture.load()) {
      // While it is trained, what is trained whole is kept in fp32; PEFT has it in the base's type.
      boolean trainable = fixture.compute() == DType.FLOAT32;
      PeftModel adapted = PeftModel.load(loaded.model(), fixture.adapter(), trainable);
      Map<String, Tensor> golden = fixture.golden();
      assertLogits(golden, logits(loaded));

      adapted.save(directory, null);
      assertEquals(
          AdapterFiles.readConfig(fixture.adapter()).toMap(),
          AdapterFiles.readConfig(directory).toMap());
      SavedAdapters.assertSame(fixture.adapter(), directory);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void mergedItComputesWhatPeftsMergeDoes(LoraFixtures.Case fixture) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = fixture.load()) {
      Tensor merged = fixture.golden().get("merged");
      if (merged == null) {
        return;
      }
      PeftModel.load(loaded.model(), fixture.adapter(), false)
          .mergeAndUnload(MergeOptions.REQUANTIZE.safe());
      assertClose(merged, logits(loaded));
      assertTrue(
          loaded.model().namedModules().noneMatch(it -> it.getValue() instanceof AdapterLayer));
      new ModelSaver(loaded.model(), Optional.empty(), Map.of(), DType.FLOAT32).save(directory);
      try (PretrainedModel again = PretrainedModel.load(directory, LoadOptions.stored())) {
        assertArrayEquals(logits(loaded).toFloats(), logits(again).toFloats());
      }
    }
  }

  /** As in PEFT, one of the two that were tied is trained alone, and the merged model has both. */
  @ParameterizedTest
  @ValueSource(strings = {"head_tied_saved", "embedding_tied_saved"})
  void whatWasTiedIsSavedUntied(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = LoraFixtures.named(name).load()) {
      PeftModel adapted = PeftModel.load(loaded.model(), LoraFixtures.named(name).adapter(), false);
      assertTrue(loaded.model().config().tiedHead());
      adapted.mergeAndUnload(MergeOptions.DENSE);
      assertFalse(loaded.model().config().tiedHead());
      new ModelSaver(loaded.model(), Optional.empty(), Map.of(), DType.FLOAT32).save(directory);
      assertEquals(
          false,
          StrictJson.readObject(directory.resolve("config.json")).get("tie_word_embeddings"));
      Set<String> names = TensorFile.read(directory.resolve("model.safetensors")).keySet();
      assertTrue(names.containsAll(List.of("lm_head.weight", "model.embed_tokens.weight")));
    }
  }

  /** Those that compute in bf16 are in {@code Bf16ParityTest}. */
  @ParameterizedTest
  @MethodSource("cases")
  void tenStepsGiveTheSameLossesAndWeights(LoraFixtures.Case fixture) {
    if (fixture.compute() != DType.FLOAT32) {
      return;
    }
    try (PretrainedModel loaded = fixture.load()) {
      PeftModel adapted = PeftModel.load(loaded.model(), fixture.adapter(), true);
      TrainResult result =
          Trainer.of(new AdapterTraining(adapted, null), arguments())
              .trainOn(LoraFixtures.examples())
              .train();
      for (int i = 0; i < fixture.losses().size(); i++) {
        double expected = fixture.losses().get(i);
        double found = result.history().get(i).value("loss").getAsDouble();
        assertEquals(expected, found, LOSS * expected, "step " + i);
      }
      try (TensorScope _ = TensorScope.open()) {
        compareWeights(fixture, adapted);
      }
    }
  }

  private static void compareWeights(LoraFixtures.Case fixture, PeftModel adapted) {
    Map<String, Tensor> golden = fixture.golden();
    Set<String> trained = AdapterFiles.keysOf(adapted.parameters()).keySet();
    AdapterFiles.keysOf(adapted.parameters())
        .forEach((key, tensor) -> {
          Tensor expected = golden.get("after." + key);
          double error = tensor.detach().sub(expected).norm().item() / expected.norm().item();
          assertTrue(error <= WEIGHTS, key + " is off by " + error);
        });
    assertTrue(trained.size() >= 2);
  }

  private TrainingArguments arguments() {
    return TrainingArguments.builder()
        .outputDir(directory)
        .perDeviceTrainBatchSize(2)
        .numTrainEpochs(1)
        .trainSamplingStrategy(SamplingStrategy.SEQUENTIAL)
        .learningRate(LoraFixtures.learningRate())
        .lrSchedulerType(SchedulerType.CONSTANT)
        .weightDecay(0)
        .loggingSteps(1)
        .saveStrategy(SaveStrategy.NO)
        .build();
  }

  private static Tensor logits(PretrainedModel loaded) {
    try (GradMode _ = GradMode.disable()) {
      return loaded.model().logits(LoraFixtures.probe()).to(DType.FLOAT32);
    }
  }

  /** What is computed in a coarser type must be as near to fp32 as PEFT's. */
  private static void assertLogits(Map<String, Tensor> golden, Tensor found) {
    Tensor exact = golden.get("exact");
    if (exact == null) {
      assertClose(golden.get("logits"), found);
      return;
    }
    double ours = found.sub(exact).norm().item();
    double theirs = golden.get("logits").sub(exact).norm().item();
    assertTrue(theirs > 0, "nothing is coarser");
    assertTrue(ours <= 1.15 * theirs, "off by " + ours + ", PEFT by " + theirs);
  }

  private static void assertClose(Tensor expected, Tensor found) {
    double error = found.sub(expected).abs().max().item() / expected.abs().max().item();
    assertTrue(error <= LOGITS, "off by " + error);
  }
}
