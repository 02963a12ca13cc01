package dev.panatune.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.SafetensorsFile;
import dev.panatune.format.TensorFile;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.ModelSaver;
import dev.panatune.model.PretrainedModel;
import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Full fine-tuning of some of a model's parameters, against transformers training the same. */
@ExtendWith(OneThread.class)
class TrainedParametersTest {
  private static final ParityCases CASES = new ParityCases("full");
  private static final ParityCases BASES = new ParityCases("methods");

  @TempDir private Path directory;

  static List<Arguments> cases() {
    return JsonState.read(CASES.fixture("cases.json")).members().keySet().stream()
        .flatMap(name -> Stream.of(Arguments.of(name, false), Arguments.of(name, true)))
        .toList();
  }

  private static PretrainedModel load(String base, DType dtype) {
    return PretrainedModel.load(BASES.fixture(base), LoadOptions.stored().withDtype(dtype));
  }

  private static FullFineTuning training(PretrainedModel loaded, TrainedParameters trained) {
    return new FullFineTuning(loaded.model(), trained, ModelSaver.ofTrained(loaded)::saveInto);
  }

  private static TrainedParameters train(String... patterns) {
    return new TrainedParameters(List.of(patterns), List.of());
  }

  private static List<String> strings(JsonState array) {
    return array.elements().stream().map(JsonState::word).toList();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void tenStepsFollowTransformers(String name, boolean gradientCheckpointing) {
    JsonState entry = CASES.entry(name);
    JsonState run = JsonState.read(BASES.fixture("run.json"));
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(entry.at("base").word(), DType.FLOAT32)) {
      Map<String, Tensor> before = new LinkedHashMap<>();
      loaded.model().namedParameters().forEach((key, value) -> before.put(key, value.clone()));
      FullFineTuning training =
          training(
              loaded,
              new TrainedParameters(strings(entry.at("train")), strings(entry.at("freeze"))));
      TrainingArguments arguments =
          ParityCases.arguments(directory, run.at("learning_rate").number(), gradientCheckpointing);
      TrainResult result =
          Trainer.of(training, arguments).trainOn(ParityCases.examples(run)).train();
      ParityCases.compareLosses(entry.at("losses").elements(), result);
      Map<String, Tensor> after = TensorFile.read(CASES.fixture(name + ".safetensors"));
      assertEquals(after.keySet(), training.trainableParameters().keySet());
      loaded
          .model()
          .namedParameters()
          .forEach((key, value) -> {
            if (after.containsKey(key)) {
              ParityCases.compareWeight(key, known(key, after.get(key)), known(key, value));
            } else {
              assertTrue(value.equal(before.get(key)), key);
              assertFalse(value.requiresGrad(), key);
            }
          });
    }
  }

  /**
   * Without a rotation, a bias of all keys moves no softmax: the gradient of GPT-2's is rounding
   * alone, which AdamW makes steps of the usual size of.
   */
  static Tensor known(String name, Tensor value) {
    if (!name.endsWith("c_attn.bias")) {
      return value;
    }
    Tensor[] parts = value.detach().chunk(3, 0);
    return Tensor.cat(0, parts[0], parts[2]);
  }

  /**
   * What is frozen has no master and is saved in its own type; the run resumes to the same bits.
   */
  @ParameterizedTest
  @CsvSource({"false, false", "true, false", "false, true", "true, true"})
  void whatIsFrozenStaysAsItIsStored(boolean autocast, boolean gradientCheckpointing) {
    TrainedParameters trained = train("layers.1.self_attn.q_proj", "layers.1.mlp.up_proj", "bias");
    TrainingArgumentsBuilder arguments =
        TrainingArguments.builder()
            .outputDir(directory.resolve("run"))
            .bf16(autocast)
            .gradientCheckpointing(gradientCheckpointing)
            .perDeviceTrainBatchSize(2)
            .learningRate(5e-3)
            .maxSteps(4)
            .saveSteps(2);
    Map<String, float[]> whole = train(trained, arguments.build());
    String middle = directory.resolve("run/checkpoint-2").toString();
    Map<String, float[]> resumed = train(trained, arguments.resumeFromCheckpoint(middle).build());
    whole.forEach((name, values) -> assertArrayEquals(values, resumed.get(name), name));
    SafetensorsFile saved =
        SafetensorsFile.open(directory.resolve("run/checkpoint-4/model.safetensors"));
    saved
        .tensors()
        .forEach((name, info) ->
            assertEquals(
                name.endsWith("bias")
                        || name.contains("1.self_attn.q_proj")
                        || name.contains("1.mlp.up_proj")
                    ? "F32"
                    : "BF16",
                info.dtype(),
                name));
    var error = assertThrows(FormatException.class, () -> train(train("norm"), arguments.build()));
    assertTrue(error.getMessage().contains("model.norm.weight"), error.getMessage());
  }

  private static Map<String, float[]> train(
      TrainedParameters trained, TrainingArguments arguments) {
    JsonState run = JsonState.read(BASES.fixture("run.json"));
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load("llama", DType.BFLOAT16)) {
      Map<String, Tensor> before = new LinkedHashMap<>();
      loaded.model().namedParameters().forEach((key, value) -> before.put(key, value.clone()));
      FullFineTuning training = training(loaded, trained);
      TrainResult result =
          Trainer.of(training, arguments).trainOn(ParityCases.examples(run)).train();
      assertEquals(4, result.steps());
      Map<String, float[]> values = new LinkedHashMap<>();
      loaded
          .model()
          .namedParameters()
          .forEach((key, value) -> {
            boolean chosen = training.trainableParameters().containsKey(key);
            assertEquals(chosen ? DType.FLOAT32 : DType.BFLOAT16, value.dtype(), key);
            assertEquals(!chosen, value.to(DType.BFLOAT16).equal(before.get(key)), key);
            values.put(key, value.toFloats());
          });
      return values;
    }
  }

  /** Whole weights beside 4-bit ones: only what was named is trained. */
  @Test
  void packedWeightsMayBeFrozen() {
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded =
            PretrainedModel.load(
                BASES.fixture("llama"),
                LoadOptions.stored().withQuantization(QuantConfig.qlora(DType.FLOAT32)))) {
      var error =
          assertThrows(ConfigurationException.class, () -> training(loaded, train("layers.0")));
      assertTrue(error.getMessage().contains("model.layers.0.self_attn.q_proj"));
      assertTrue(error.getMessage().contains("load_in_4bit"), error.getMessage());
      FullFineTuning training = training(loaded, train(".*norm"));
      assertEquals(5, training.trainableParameters().size());
      JsonState run = JsonState.read(BASES.fixture("run.json"));
      Trainer.of(training, ParityCases.arguments(directory, 1e-3, false))
          .trainOn(ParityCases.examples(run))
          .train();
    }
  }

  @Test
  void onlyWhatIsTrainedHasMasters() {
    long before = NativeMemory.liveBytes();
    try (PretrainedModel loaded = load("llama", DType.FLOAT16)) {
      Tensor weight = loaded.model().parameter("model.layers.0.mlp.up_proj.weight");
      long elements = weight.numel();
      long narrow = NativeMemory.liveBytes();
      training(loaded, train("layers.0.mlp.up_proj.weight"));
      assertEquals(narrow + 2 * elements, NativeMemory.liveBytes());
    }
    assertEquals(before, NativeMemory.liveBytes());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "layers.1.self_atn | train: 'layers.1.self_atn' fits no parameter | did you mean"
            + " layers.1.self_attn?",
        "embeddings_of_words | names in it are model, embed_tokens, weight, layers | q_proj",
        "layers.2 | fits no parameter or module of the model | did you mean layers.0?",
        "qproj | did you mean q_proj? | q_proj",
        "( | is not a regular expression | train: '('",
      })
  void aPatternThatFitsNothingIsNamed(String pattern, String expected, String also) {
    try (PretrainedModel loaded = load("llama", DType.FLOAT32)) {
      var error =
          assertThrows(ConfigurationException.class, () -> training(loaded, train(pattern)));
      assertTrue(error.getMessage().contains(expected), error.getMessage());
      assertTrue(error.getMessage().contains(also), error.getMessage());
    }
  }

  /** transformers stores GPT-NeoX's head as {@code embed_out}. */
  @Test
  void whatIsStoredUnderAnotherNameIsReadBack() {
    ParityCases families = new ParityCases("families");
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded =
            PretrainedModel.load(families.fixture("gpt_neox"), LoadOptions.stored())) {
      FullFineTuning training = training(loaded, train("lm_head"));
      training.save(directory);
      Tensor head = training.trainableParameters().get("lm_head.weight").detach();
      Tensor before = head.clone();
      head.zero_();
      training.load(directory);
      assertTrue(head.equal(before));
    }
  }

  @Test
  void somethingMustBeLeft() {
    try (PretrainedModel loaded = load("llama", DType.FLOAT32)) {
      var patterns = new TrainedParameters(List.of("lm_head"), List.of("lm_head", "norm"));
      var error = assertThrows(ConfigurationException.class, () -> training(loaded, patterns));
      assertEquals(
          "freeze [lm_head, norm] leaves nothing of train [lm_head] to train", error.getMessage());
    }
  }

  /** A layer's number is not the beginning of another's. */
  @Test
  void aPatternFitsWholeSteps() {
    try (PretrainedModel loaded = load("gpt2", DType.FLOAT32)) {
      assertEquals(
          Set.of("transformer.h.1.ln_1.weight", "transformer.h.1.ln_1.bias"),
          train("h.1.ln_1").of(loaded.model()));
    }
  }
}
