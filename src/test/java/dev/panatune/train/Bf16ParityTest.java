package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.peft.MergeOptions;
import dev.panatune.peft.PeftModel;
import dev.panatune.peft.SavedAdapters;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.schedule.SchedulerType;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Adapters on bases in bf16, dense and in 4 bits (src/test/python/make_bf16_fixtures.py): as near
 * to fp32, from the same weights, as PEFT.
 */
@ExtendWith(OneThread.class)
class Bf16ParityTest {
  private static final ParityCases CASES = new ParityCases("bf16");

  /** How much further from fp32 than PEFT. */
  private static final double NEAR = 1.15;

  /** The same of weights after ten steps, whose roundings add up to one draw on either side. */
  private static final double NEAR_WEIGHTS = 1.3;

  /** The same of losses, no more than ten numbers. */
  private static final double NEAR_LOSSES = 2;

  @TempDir private Path directory;

  private static Path resource(String name) {
    try {
      return Path.of(Bf16ParityTest.class.getResource("/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Path adapter(String name) {
    return resource(CASES.entry(name).at("adapter").word());
  }

  private static PretrainedModel base(String name) {
    JsonState entry = CASES.entry(name);
    LoadOptions options = LoadOptions.stored().withDtype(DType.BFLOAT16);
    if (!entry.at("quant").isNull()) {
      List<JsonState> kind = entry.at("quant").elements();
      options =
          options.withQuantization(
              new QuantConfig(
                  QuantType.valueOf(kind.get(0).word().toUpperCase(Locale.ROOT)),
                  QuantConfig.DEFAULT_BLOCK_SIZE,
                  Boolean.parseBoolean(kind.get(1).word()),
                  DType.BFLOAT16,
                  List.of()));
    }
    return PretrainedModel.load(resource(entry.at("base").word()), options);
  }

  private static Tensor logits(PretrainedModel loaded) {
    return new ParityCases("methods").logits(loaded).to(DType.FLOAT32);
  }

  private static void assertNear(double near, Map<String, Tensor> golden, String key, Tensor ours) {
    Tensor exact = golden.get("exact");
    double error = golden.get(key).sub(exact).norm().item();
    assertTrue(error > 0, "nothing is coarser");
    double found = ours.sub(exact).norm().item();
    assertTrue(found <= near * error, "off by " + found + ", PEFT by " + error);
  }

  /** LoRA's are in {@code LoraParityTest}. */
  static List<String> otherMethods() {
    return CASES.having("logits");
  }

  static List<String> merged() {
    return CASES.having("merged");
  }

  static Stream<Arguments> trained() {
    return CASES.all().stream()
        .flatMap(name ->
            Stream.of("plain", "autocast")
                .filter(mode -> CASES.entry(name).members().containsKey(mode))
                .map(mode -> Arguments.of(name, mode)));
  }

  @ParameterizedTest
  @MethodSource("otherMethods")
  void logitsAreAsNearToFp32AsPefts(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base(name)) {
      PeftModel adapted = PeftModel.load(loaded.model(), adapter(name), false);
      // In 4 bits PEFT's IA3 layers give float32, and so does all that is added to them.
      double near = name.equals("ia3_nf4") ? 1.25 : NEAR;
      assertNear(near, CASES.golden(name), "logits", logits(loaded));
      adapted.save(directory, null);
      // A module that is trained whole is loaded in the base's type, and saved so, as in PEFT.
      if (!name.contains("modules_to_save")) {
        SavedAdapters.assertSame(adapter(name), directory);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("merged")
  void mergedLogitsAreAsNearToFp32AsPefts(String name) {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base(name)) {
      PeftModel.load(loaded.model(), adapter(name), false).mergeAndUnload(MergeOptions.DENSE);
      assertNear(NEAR, CASES.golden(name), "merged", logits(loaded));
    }
  }

  @ParameterizedTest
  @MethodSource("trained")
  void tenStepsStayAsNearToFp32AsPefts(String name, String mode) {
    JsonState entry = CASES.entry(name);
    String suite = entry.at("base").word().replaceAll("/.*", "");
    JsonState run = JsonState.read(resource(suite).resolve("run.json"));
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base(name)) {
      PeftModel adapted = PeftModel.load(loaded.model(), adapter(name), true);
      TrainResult result =
          Trainer.of(
                  new AdapterTraining(adapted, null),
                  arguments(run.at("learning_rate").number(), mode.equals("autocast")))
              .trainOn(ParityCases.examples(run))
              .train();
      double weights = distance(ParityCases.after(CASES.golden(name), adapted), adapted);
      double theirs = entry.at(mode).at("distance").number();
      assertTrue(
          weights <= NEAR_WEIGHTS * theirs, "weights off by " + weights + ", PEFT's by " + theirs);

      List<JsonState> exact = entry.at("exact").elements();
      List<JsonState> stated = entry.at(mode).at("losses").elements();
      assertEquals(10, exact.size());
      double ours = 0;
      double allowed = 0;
      for (int i = 0; i < exact.size(); i++) {
        double loss = exact.get(i).number();
        ours += Math.pow(result.history().get(i).value("loss").getAsDouble() - loss, 2);
        allowed += Math.pow(stated.get(i).number() - loss, 2);
      }
      assertTrue(
          Math.sqrt(ours) <= NEAR_LOSSES * Math.sqrt(allowed),
          "losses off by %e, PEFT's by %e"
              .formatted(Math.sqrt(ours / 10), Math.sqrt(allowed / 10)));
    }
  }

  /**
   * The median over all numbers: AdamW moves those whose gradient is next to nothing either way, by
   * a whole step.
   */
  private static double distance(Map<String, Tensor> exact, PeftModel adapted) {
    double[] differences =
        exact.entrySet().stream()
            .map(entry -> adapted.parameters().get(entry.getKey()).detach().sub(entry.getValue()))
            .flatMapToDouble(Bf16ParityTest::magnitudes)
            .sorted()
            .toArray();
    return differences[differences.length / 2];
  }

  private static DoubleStream magnitudes(Tensor values) {
    float[] numbers = values.abs().reshape(-1).toFloats();
    return IntStream.range(0, numbers.length).mapToDouble(i -> numbers[i]);
  }

  private TrainingArguments arguments(double learningRate, boolean autocast) {
    return TrainingArguments.builder()
        .outputDir(directory)
        .perDeviceTrainBatchSize(2)
        .numTrainEpochs(1)
        .trainSamplingStrategy(SamplingStrategy.SEQUENTIAL)
        .learningRate(learningRate)
        .lrSchedulerType(SchedulerType.CONSTANT)
        .weightDecay(0)
        .bf16(autocast)
        .loggingSteps(1)
        .saveStrategy(SaveStrategy.NO)
        .build();
  }
}
