package dev.panatune.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.ModelFixtures;
import dev.panatune.model.PretrainedModel;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.NativeMemory;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class GeneratorTest {
  private static final int[] PROMPT = {40, 41, 42, 43, 44};

  private static PretrainedModel model;

  @BeforeAll
  static void load() {
    model =
        PretrainedModel.load(
            ModelFixtures.path("llama.gguf"), LoadOptions.stored().withDtype(DType.FLOAT32));
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private static Generator generator(Integer... endIds) {
    return new Generator(model.model(), model.tokenizer(), Set.of(endIds));
  }

  private static int[] greedyWithoutCache(int count) {
    int[] ids = PROMPT.clone();
    try (GradMode _ = GradMode.disable()) {
      for (int i = 0; i < count; i++) {
        try (TensorScope _ = TensorScope.open()) {
          long[] all = Arrays.stream(ids).asLongStream().toArray();
          Tensor logits = model.model().logits(Tensor.ofLongs(all, 1, all.length));
          ids = Arrays.copyOf(ids, ids.length + 1);
          ids[ids.length - 1] = (int) logits.select(1, all.length - 1).argmax(-1).itemLong();
        }
      }
    }
    return Arrays.copyOfRange(ids, PROMPT.length, ids.length);
  }

  @Test
  void greedyTakesTheLikeliestOfTheWholeTextEachTime() {
    GenerationResult result = generator().generate(PROMPT, GenerationConfig.greedy(30));
    assertArrayEquals(greedyWithoutCache(30), result.tokenIds());
    assertArrayEquals(PROMPT, result.promptTokenIds());
    assertEquals(FinishReason.LENGTH, result.finishReason());
    assertEquals(model.tokenizer().decode(result.tokenIds(), true), result.text());
    assertTrue(result.seconds() > 0);
  }

  @Test
  void endsWithTheModelsEnd() {
    int[] free = generator().generate(PROMPT, GenerationConfig.greedy(30)).tokenIds();
    int end = free[7];
    int first = Arrays.stream(free).boxed().toList().indexOf(end);
    GenerationResult result = generator(end).generate(PROMPT, GenerationConfig.greedy(30));
    assertEquals(FinishReason.STOP, result.finishReason());
    assertArrayEquals(Arrays.copyOf(free, first + 1), result.tokenIds());
    assertEquals(model.tokenizer().decode(Arrays.copyOf(free, first), true), result.text());
  }

  @Test
  void streamsTheTextAndNothingElse() {
    List<String> pieces = new ArrayList<>();
    GenerationResult result =
        generator().generate(PROMPT, GenerationConfig.greedy(30), pieces::add);
    assertEquals(result.text(), String.join("", pieces));
    assertTrue(pieces.size() > 5);
    assertFalse(pieces.contains(""));
  }

  @Test
  void endsBeforeAStopStringAndNeverStreamsAPartOfIt() {
    String free = generator().generate(PROMPT, GenerationConfig.greedy(30)).text();
    String stop = free.substring(5, 9);
    int at = free.indexOf(stop);
    List<String> pieces = new ArrayList<>();
    GenerationResult result =
        generator()
            .generate(
                PROMPT,
                GenerationConfig.greedy(30).withStopStrings(List.of("no such text", stop)),
                pieces::add);
    assertEquals(free.substring(0, at), result.text());
    assertEquals(result.text(), String.join("", pieces));
    assertEquals(FinishReason.STOP, result.finishReason());
    assertTrue(result.tokenIds().length < 30);
  }

  @Test
  void sameSeedSameText() {
    GenerationConfig config = GenerationConfig.sampling(20, 5).withTemperature(1.5);
    int[] first = generator().generate(PROMPT, config).tokenIds();
    assertArrayEquals(first, generator().generate(PROMPT, config).tokenIds());
    GenerationConfig other = GenerationConfig.sampling(20, 6).withTemperature(1.5);
    assertFalse(Arrays.equals(first, generator().generate(PROMPT, other).tokenIds()));
  }

  @Test
  void endsAtTheEndOfTheContext() {
    int[] prompt = new int[509];
    Arrays.fill(prompt, 50);
    GenerationResult result = generator().generate(prompt, GenerationConfig.greedy(100));
    assertEquals(3, result.tokenIds().length);
    assertEquals(FinishReason.LENGTH, result.finishReason());
  }

  @Test
  void refusesAPromptThatIsEmptyOrFillsTheContext() {
    GenerationConfig config = GenerationConfig.greedy(5);
    assertThrows(ConfigurationException.class, () -> generator().generate(new int[0], config));
    var error =
        assertThrows(
            ConfigurationException.class, () -> generator().generate(new int[512], config));
    assertEquals(
        "The prompt has 512 tokens and the model's context 512; shorten the prompt",
        error.getMessage());
  }

  @Test
  void tokensLeaveNothingBehind() {
    List<Long> tensors = new ArrayList<>();
    long before = TensorScope.liveTensors();
    long bytesBefore = NativeMemory.liveBytes();
    generator()
        .generate(
            PROMPT,
            GenerationConfig.greedy(40).withRepetitionPenalty(1.1),
            text -> tensors.add(TensorScope.liveTensors()));
    assertEquals(1, tensors.stream().distinct().count(), tensors::toString);
    assertEquals(before, TensorScope.liveTensors());
    assertEquals(bytesBefore, NativeMemory.liveBytes());
  }
}
