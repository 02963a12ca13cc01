package dev.panatune.generate;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.model.PretrainedModel;
import dev.panatune.nn.KvCache;
import dev.panatune.tensor.GradMode;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import dev.panatune.text.Tokenizer;
import java.util.Arrays;
import java.util.Set;
import java.util.function.Consumer;

/** Generates text, one token at a time, each from a cache of the keys and values before it. */
public final class Generator {
  private final CausalLM model;
  private final Tokenizer tokenizer;
  private final Set<Integer> endIds;

  /** Creates a generator for a model, which goes on belonging to the caller. */
  public Generator(PretrainedModel model) {
    this(model.model(), model.tokenizer(), model.eosTokenIds());
  }

  /**
   * Creates a generator for a model and a tokenizer, which go on belonging to the caller.
   *
   * @param endIds the tokens that end a text
   */
  public Generator(CausalLM model, Tokenizer tokenizer, Set<Integer> endIds) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.endIds = Set.copyOf(endIds);
  }

  /** Continues a prompt. */
  public GenerationResult generate(int[] prompt, GenerationConfig config) {
    return generate(prompt, config, text -> {});
  }

  /**
   * Continues a prompt, and passes the text on as it becomes certain.
   *
   * @param prompt token ids, at least one
   * @param config how
   * @param sink takes the pieces of the result's text, in order
   * @throws ConfigurationException if the prompt is empty, or leaves no room in the model's context
   */
  public GenerationResult generate(int[] prompt, GenerationConfig config, Consumer<String> sink) {
    if (model.config().classifier().isPresent()) {
      throw new ConfigurationException(
          "the model is a classifier: it tells the class of a text, and writes none");
    }
    long start = System.nanoTime();
    int room = room(prompt, config);
    TextStream stream = new TextStream(tokenizer.streamingDecoder(), config.stopStrings(), sink);
    int[] ids = Arrays.copyOf(prompt, prompt.length + room);
    int length = prompt.length;
    FinishReason reason = FinishReason.LENGTH;
    NextToken nextToken = new NextToken(config);
    try (var _ = GradMode.disable();
        KvCache cache = model.newCache(prompt.length + room)) {
      while (length < ids.length && reason == FinishReason.LENGTH) {
        int id = step(ids, length, cache, nextToken);
        ids[length++] = id;
        if (endIds.contains(id) || stream.accept(id)) {
          reason = FinishReason.STOP;
        }
      }
    }
    String text = stream.finish();
    return new GenerationResult(
        text,
        Arrays.copyOfRange(ids, prompt.length, length),
        prompt.clone(),
        reason,
        (System.nanoTime() - start) * 1e-9);
  }

  private int step(int[] ids, int length, KvCache cache, NextToken nextToken) {
    try (TensorScope _ = TensorScope.open()) {
      int known = (int) model.textLength(cache);
      Tensor logits = model.nextLogits(row(ids, known, length), cache);
      return nextToken.choose(logits, () -> row(ids, 0, length));
    }
  }

  private Tensor row(int[] ids, int from, int to) {
    long[] part = Arrays.stream(ids, from, to).asLongStream().toArray();
    return Tensor.ofLongs(part, 1, part.length).to(model.device());
  }

  private int room(int[] prompt, GenerationConfig config) {
    int context = model.config().contextLength() - model.virtualPositions();
    if (prompt.length == 0) {
      throw new ConfigurationException("The prompt has no tokens; give it some text");
    }
    if (prompt.length >= context) {
      throw new ConfigurationException(
          "The prompt has %d tokens and the model's context %d; shorten the prompt"
              .formatted(prompt.length, context));
    }
    return Math.min(config.maxNewTokens(), context - prompt.length);
  }
}
