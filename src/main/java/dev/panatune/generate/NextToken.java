package dev.panatune.generate;

import dev.panatune.tensor.DType;
import dev.panatune.tensor.Op;
import dev.panatune.tensor.Tensor;
import dev.panatune.tensor.TensorScope;
import java.util.SplittableRandom;
import java.util.function.Supplier;

/**
 * Chooses a token from logits: transformers' processors in transformers' order (repetition penalty,
 * temperature, top-k, top-p), then the likeliest or a draw.
 *
 * <p>Draws come from a generator of its own, so that generating while training leaves the training
 * as it was.
 */
final class NextToken {
  private static final Op SCATTER = Op.find("aten::scatter", "src");
  private static final Op SORT = Op.find("aten::sort", "");
  private static final Op TOP_K = Op.find("aten::topk", "");

  private final GenerationConfig config;
  private final SplittableRandom random;

  NextToken(GenerationConfig config) {
    this.config = config;
    this.random = new SplittableRandom(config.seed());
  }

  /**
   * Returns the next token's id.
   *
   * @param logits [1, vocabulary]
   * @param seen int64 [1, n]: the prompt and the text so far, asked for where they matter
   */
  int choose(Tensor logits, Supplier<Tensor> seen) {
    try (TensorScope _ = TensorScope.open()) {
      Tensor scores = scores(logits, seen);
      return config.doSample() ? draw(scores) : (int) scores.argmax(-1).itemLong();
    }
  }

  /**
   * Returns the processed scores, fp32 [1, vocabulary], minus infinity for what is filtered out.
   */
  Tensor scores(Tensor logits, Supplier<Tensor> seen) {
    Tensor scores = logits.to(DType.FLOAT32);
    if (config.repetitionPenalty() != 1) {
      scores = penalised(scores, seen.get());
    }
    if (!config.doSample()) {
      return scores;
    }
    if (config.temperature() != 1) {
      scores = scores.div(config.temperature());
    }
    if (config.topK() > 0) {
      scores = likeliest(scores);
    }
    if (config.topP() < 1) {
      scores = nucleus(scores);
    }
    return scores;
  }

  private Tensor penalised(Tensor scores, Tensor seen) {
    double penalty = config.repetitionPenalty();
    Tensor score = scores.gather(1, seen);
    Tensor changed = Tensor.where(score.lt(0), score.mul(penalty), score.div(penalty));
    return SCATTER.call(scores, 1, seen, changed);
  }

  private Tensor likeliest(Tensor scores) {
    long count = Math.min(config.topK(), scores.size(-1));
    Tensor least = TOP_K.callAll(scores, count)[0].narrow(-1, count - 1, 1);
    return without(scores, scores.sub(least).lt(0));
  }

  private Tensor nucleus(Tensor scores) {
    Tensor[] ascending = SORT.callAll(scores);
    Tensor removed = ascending[0].softmax(-1).cumsum(-1).le(1 - config.topP());
    long last = removed.size(-1) - 1;
    removed.narrow(-1, last, 1).fill_(0);
    return without(scores, SCATTER.call(removed, 1, ascending[1], removed));
  }

  private static Tensor without(Tensor scores, Tensor removed) {
    return scores.maskedFill(removed, Double.NEGATIVE_INFINITY);
  }

  /** Inverts the cumulative distribution at a uniform number. */
  private int draw(Tensor scores) {
    Tensor cumulative = scores.to(DType.FLOAT64).softmax(-1).cumsum(-1);
    double total = cumulative.narrow(-1, cumulative.size(-1) - 1, 1).item();
    // The first token whose cumulative probability is over the number: one of probability 0 has
    // the same as the token before it, and is never the first.
    double uniform = Math.min(random.nextDouble() * total, Math.nextDown(total));
    return (int) cumulative.le(uniform).sum().itemLong();
  }
}
