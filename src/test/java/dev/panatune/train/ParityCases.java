package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.Example;
import dev.panatune.format.TensorFile;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.peft.PeftModel;
import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.schedule.SchedulerType;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;

/**
 * Cases of adapters that Python made: a folder a case, with what Python computes.
 *
 * @param root the folder of all, below {@code src/test/resources}
 */
record ParityCases(String root) {
  private static final double LOSS_TOLERANCE = 1e-5;
  private static final double WEIGHT_TOLERANCE = 1e-3;

  /** Loads a case's adapter and trains it for ten steps beside Python's. */
  void tenStepsFollow(String name, boolean gradientCheckpointing, Path output) {
    JsonState run = JsonState.read(fixture("run.json"));
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = base(name)) {
      PeftModel adapted = PeftModel.load(loaded.model(), adapter(name), true);
      TrainResult result =
          Trainer.of(
                  new AdapterTraining(adapted, null),
                  arguments(output, run.at("learning_rate").number(), gradientCheckpointing))
              .trainOn(examples(run))
              .train();
      compareLosses(entry(name).at("losses").elements(), result);
      compareWeights(golden(name), adapted);
    }
  }

  static void compareLosses(List<JsonState> losses, TrainResult result) {
    assertEquals(10, losses.size());
    for (int i = 0; i < losses.size(); i++) {
      double expected = losses.get(i).number();
      double found = result.history().get(i).value("loss").getAsDouble();
      assertEquals(expected, found, LOSS_TOLERANCE * expected, "step " + i);
    }
  }

  private static void compareWeights(Map<String, Tensor> golden, PeftModel adapted) {
    after(golden, adapted)
        .forEach((name, expected) -> compareWeight(name, expected, adapted.parameters().get(name)));
  }

  /** What Python trained, by the names that all of an adapter's parameters have here. */
  static Map<String, Tensor> after(Map<String, Tensor> golden, PeftModel adapted) {
    String prefix = "after.base_model.model.";
    Map<String, Tensor> after = new TreeMap<>();
    golden.forEach((key, tensor) -> {
      if (key.startsWith("after.")) {
        String name = key.substring(key.startsWith(prefix) ? prefix.length() : "after.".length());
        after.put(name.replace(".modules_to_save", ""), tensor);
      }
    });
    assertEquals(new TreeSet<>(adapted.parameters().keySet()), after.keySet());
    return after;
  }

  static void compareWeight(String name, Tensor expected, Tensor found) {
    double difference = found.detach().sub(expected).norm().item() / expected.norm().item();
    assertTrue(difference < WEIGHT_TOLERANCE, name + " is off by " + difference);
  }

  /** How Python's ten steps are taken. */
  static TrainingArguments arguments(
      Path directory, double learningRate, boolean gradientCheckpointing) {
    return TrainingArguments.builder()
        .outputDir(directory)
        .perDeviceTrainBatchSize(2)
        .numTrainEpochs(1)
        .trainSamplingStrategy(SamplingStrategy.SEQUENTIAL)
        .learningRate(learningRate)
        .lrSchedulerType(SchedulerType.CONSTANT)
        .weightDecay(0)
        .gradientCheckpointing(gradientCheckpointing)
        .loggingSteps(1)
        .saveStrategy(SaveStrategy.NO)
        .build();
  }

  /** The rows without their padding. */
  static List<Example> examples(JsonState run) {
    return run.at("batches").elements().stream()
        .flatMap(batch -> {
          List<JsonState> ids = batch.at("input_ids").elements();
          List<JsonState> labels = batch.at("labels").elements();
          return IntStream.range(0, ids.size())
              .mapToObj(row -> example(integers(ids.get(row)), integers(labels.get(row))));
        })
        .toList();
  }

  private static Example example(int[] ids, int[] labels) {
    int length = ids.length;
    while (ids[length - 1] == 3) {
      length--;
    }
    return new Example(Arrays.copyOf(ids, length), Arrays.copyOf(labels, length));
  }

  static int[] integers(JsonState array) {
    return array.elements().stream().mapToInt(JsonState::integer).toArray();
  }

  Tensor logits(PretrainedModel loaded) {
    List<JsonState> rows = JsonState.read(fixture("run.json")).at("probe").elements();
    long[] ids =
        rows.stream()
            .flatMap(row -> row.elements().stream())
            .mapToLong(JsonState::integer)
            .toArray();
    try (GradMode _ = GradMode.disable()) {
      return loaded.model().logits(Tensor.ofLongs(ids, rows.size(), ids.length / rows.size()));
    }
  }

  static double error(Tensor found, Tensor expected) {
    assertArrayEquals(expected.shape(), found.shape());
    return found.sub(expected).abs().max().item() / expected.abs().max().item();
  }

  PretrainedModel base(String name) {
    LoadOptions options = LoadOptions.stored().withDtype(DType.FLOAT32);
    JsonState entry = entry(name);
    return PretrainedModel.load(
        fixture(entry.at("base").word()),
        entry.members().containsKey("quant")
            ? options.withQuantization(QuantConfig.qlora(DType.FLOAT32))
            : options);
  }

  JsonState entry(String name) {
    return JsonState.read(fixture("cases.json")).at(name);
  }

  Map<String, Tensor> golden(String name) {
    return TensorFile.read(fixture(name).resolve("golden.safetensors"));
  }

  Path adapter(String name) {
    return fixture(name).resolve("adapter");
  }

  Path fixture(String name) {
    try {
      return Path.of(ParityCases.class.getResource("/" + root + "/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** All cases. */
  List<String> all() {
    return List.copyOf(JsonState.read(fixture("cases.json")).members().keySet());
  }

  /** Those that Python computed something for. */
  List<String> having(String key) {
    try (TensorScope _ = TensorScope.open()) {
      return all().stream().filter(name -> golden(name).containsKey(key)).toList();
    }
  }

  /** All, without and with gradient checkpointing. */
  List<Arguments> trained() {
    return all().stream()
        .flatMap(
            name -> Stream.of(false, true).map(checkpointing -> Arguments.of(name, checkpointing)))
        .toList();
  }
}
