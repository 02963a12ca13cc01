package dev.panatune.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.panatune.error.PanatuneException;
import dev.panatune.format.AtomicFiles;
import dev.panatune.format.StrictJson;
import dev.panatune.format.TensorFile;
import dev.panatune.nn.KvCache;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.train.OneThread;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every family against what transformers computes (src/test/python/make_family_fixtures.py). */
@ExtendWith(OneThread.class)
class FamilyTest {
  private static final double LOGITS = 2e-5;
  private static final double LOSS = 1e-5;
  private static final int SHORT = 10;

  /** What a {@code config.json} says that does not change what is computed. */
  private static final Set<String> WITHOUT_EFFECT =
      Set.of(
          "architectures",
          "model_type",
          "dtype",
          "transformers_version",
          "use_cache",
          "bos_token_id",
          "eos_token_id",
          "pad_token_id",
          "initializer_range",
          "attention_dropout",
          "hidden_dropout",
          "classifier_dropout",
          "embd_pdrop",
          "resid_pdrop",
          "attn_pdrop",
          // Of GPT-2, for other tasks; the order of operations in half precision.
          "summary_type",
          "summary_use_proj",
          "summary_first_dropout",
          "summary_activation",
          "summary_proj_to_labels",
          "reorder_and_upcast_attn",
          // Of Llama's pre-training.
          "pretraining_tp",
          "is_decoder",
          // What layer_types and no_rope_layers are made of where they are not stated.
          "_sliding_window_pattern",
          "max_window_layers",
          "no_rope_layer_interval",
          "use_sliding_window");

  @TempDir private Path temporary;

  private static List<Path> families() {
    return FamilyFixtures.all();
  }

  private static PretrainedModel load(Path directory) {
    return PretrainedModel.load(directory, LoadOptions.stored());
  }

  @ParameterizedTest
  @MethodSource("families")
  void hasTheLogitsAndTheLossOfTransformers(Path directory) {
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        PretrainedModel loaded = load(directory)) {
      Map<String, Tensor> expected = FamilyFixtures.expected(directory);
      Tensor logits = loaded.model().logits(expected.get("ids"));
      double error = FamilyFixtures.difference(logits, expected.get("logits"));
      assertTrue(error <= LOGITS, "logits differ by " + error);
      Tensor some = loaded.model().logits(expected.get("ids").narrow(1, 0, SHORT));
      error = FamilyFixtures.difference(some, expected.get("short_logits"));
      assertTrue(error <= LOGITS, "logits of short rows differ by " + error);
      try (Batch batch = FamilyFixtures.batch(expected.get("ids"))) {
        double loss = loaded.model().loss(batch).loss().item() / batch.targetTokens();
        double stated = expected.get("loss").item();
        assertEquals(stated, loss, LOSS * stated);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void cachedLogitsEqualUncachedOnes(Path directory) {
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        PretrainedModel loaded = load(directory);
        KvCache cache = loaded.model().newCache(26)) {
      Tensor ids = FamilyFixtures.expected(directory).get("ids");
      long done = 0;
      // Each new token changes the frequencies of "dynamic" scaling; the cached keys stay.
      int end = directory.endsWith("llama_dynamic") ? 12 : 26;
      for (int step : new int[] {3, 1, 1, 7, 1, 1, 1, 1, 1, 5, 1, 1, 1, 1}) {
        if (done >= end) {
          break;
        }
        Tensor next = loaded.model().nextLogits(ids.narrow(1, done, step), cache);
        done += step;
        Tensor whole = loaded.model().logits(ids.narrow(1, 0, done)).select(1, -1);
        double error = FamilyFixtures.difference(next, whole);
        assertTrue(error <= LOGITS, "after %d tokens they differ by %e".formatted(done, error));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void generatesWhatTransformersGenerates(Path directory) {
    // Llama's code in transformers keeps the keys of the short text.
    assumeFalse(directory.endsWith("llama_longrope"));
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable();
        PretrainedModel loaded = load(directory);
        KvCache cache = loaded.model().newCache(26)) {
      Map<String, Tensor> expected = FamilyFixtures.expected(directory);
      Tensor next = expected.get("prompt");
      List<Long> generated = new ArrayList<>();
      for (int i = 0; i < expected.get("generated").size(1); i++) {
        next = loaded.model().nextLogits(next, cache).argmax(-1).reshape(1, 1);
        generated.add(next.itemLong());
      }
      assertEquals(Arrays.stream(expected.get("generated").toLongs()).boxed().toList(), generated);
    }
  }

  @ParameterizedTest
  @MethodSource("families")
  void savesTheTensorsThatItLoaded(Path directory) {
    Path saved = temporary.resolve("saved");
    try (TensorScope _ = TensorScope.open();
        PretrainedModel loaded = load(directory)) {
      loaded.save(saved, DType.FLOAT32);
      Map<String, Tensor> before = TensorFile.read(directory.resolve("model.safetensors"));
      Map<String, Tensor> after = TensorFile.read(saved.resolve("model.safetensors"));
      assertEquals(before.keySet(), after.keySet());
      before.forEach((name, tensor) -> assertTrue(tensor.equal(after.get(name)), name));
      assertEquals(
          StrictJson.readObject(directory.resolve("config.json")),
          StrictJson.readObject(saved.resolve("config.json")));
    }
  }

  /** Changes each field in turn: the model must be refused, or compute something else. */
  @ParameterizedTest
  @MethodSource("families")
  void everyFieldOfTheConfigurationMatters(Path directory) throws IOException {
    Path changed = temporary.resolve("changed");
    Files.createDirectory(changed);
    Files.copy(directory.resolve("model.safetensors"), changed.resolve("model.safetensors"));
    Map<String, Object> json = StrictJson.readObject(directory.resolve("config.json"));
    List<String> idle = new ArrayList<>();
    try (TensorScope _ = TensorScope.open();
        GradMode _ = GradMode.disable()) {
      Map<String, Tensor> expected = FamilyFixtures.expected(directory);
      for (Change change : Change.of(json, WITHOUT_EFFECT)) {
        AtomicFiles.writeString(changed.resolve("config.json"), JsonText.of(change.json()));
        try (PretrainedModel loaded = load(changed)) {
          Tensor logits = loaded.model().logits(expected.get("ids"));
          Tensor some = loaded.model().logits(expected.get("ids").narrow(1, 0, SHORT));
          if (FamilyFixtures.difference(logits, expected.get("logits")) < 10 * LOGITS
              && FamilyFixtures.difference(some, expected.get("short_logits")) < 10 * LOGITS) {
            idle.add(change.what());
          }
        } catch (PanatuneException e) {
          // Refused, which is as good.
        }
      }
    }
    idle.removeIf(what -> isIdle(what, json));
    assertEquals(List.of(), idle);
  }

  private static boolean isIdle(String what, Map<String, Object> json) {
    return switch (what) {
      // A limit, and a length that only some kinds of RoPE look at.
      case "max_position_embeddings" -> !json.toString().contains("dynamic");
      // The file has a head of its own, and transformers goes by that.
      case "tie_word_embeddings" -> json.get(what).equals(false);
      // The model's own field goes first.
      case "rope_parameters.original_max_position_embeddings" ->
          json.containsKey("original_max_position_embeddings");
      default -> false;
    };
  }
}
