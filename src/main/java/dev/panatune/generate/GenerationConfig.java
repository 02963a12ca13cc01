package dev.panatune.generate;

import dev.panatune.error.ConfigurationException;
import java.util.List;

/**
 * How tokens are chosen and when to stop; the names and their meaning are transformers'.
 *
 * @param maxNewTokens the most tokens to generate, at least 1
 * @param doSample whether to draw tokens; otherwise the likeliest is taken, and temperature, topK
 *     and topP do nothing
 * @param temperature what logits are divided by, over 0
 * @param topK how many of the likeliest tokens stay in the draw; 0 for all
 * @param topP the probability that the tokens left in the draw add up to at least; 1 for all
 * @param repetitionPenalty over 1 makes tokens of the prompt and of the text so far less likely
 * @param stopStrings generation ends where one of them would appear, and it is not part of the text
 * @param seed of the draws
 */
public record GenerationConfig(
    int maxNewTokens,
    boolean doSample,
    double temperature,
    int topK,
    double topP,
    double repetitionPenalty,
    List<String> stopStrings,
    long seed) {

  /**
   * Checks the values.
   *
   * @throws ConfigurationException naming the value that is out of its range
   */
  public GenerationConfig {
    require(maxNewTokens >= 1, "max_new_tokens", maxNewTokens, "at least 1");
    require(temperature > 0, "temperature", temperature, "over 0; for no randomness do not sample");
    require(topK >= 0, "top_k", topK, "at least 0");
    require(topP > 0 && topP <= 1, "top_p", topP, "over 0 and at most 1");
    require(repetitionPenalty > 0, "repetition_penalty", repetitionPenalty, "over 0");
    stopStrings = List.copyOf(stopStrings);
    require(!stopStrings.contains(""), "stop_strings", stopStrings, "without an empty string");
  }

  private static void require(boolean holds, String name, Object value, String range) {
    if (!holds) {
      throw new ConfigurationException("%s is %s; it must be %s".formatted(name, value, range));
    }
  }

  /** Returns greedy generation of at most so many tokens. */
  public static GenerationConfig greedy(int maxNewTokens) {
    return new GenerationConfig(maxNewTokens, false, 1, 0, 1, 1, List.of(), 0);
  }

  /** Returns sampling from the model's own distribution, of at most so many tokens. */
  public static GenerationConfig sampling(int maxNewTokens, long seed) {
    return new GenerationConfig(maxNewTokens, true, 1, 0, 1, 1, List.of(), seed);
  }

  /** Returns the same with another temperature. */
  public GenerationConfig withTemperature(double value) {
    return new GenerationConfig(
        maxNewTokens, doSample, value, topK, topP, repetitionPenalty, stopStrings, seed);
  }

  /** Returns the same with another top-k. */
  public GenerationConfig withTopK(int value) {
    return new GenerationConfig(
        maxNewTokens, doSample, temperature, value, topP, repetitionPenalty, stopStrings, seed);
  }

  /** Returns the same with another top-p. */
  public GenerationConfig withTopP(double value) {
    return new GenerationConfig(
        maxNewTokens, doSample, temperature, topK, value, repetitionPenalty, stopStrings, seed);
  }

  /** Returns the same with another repetition penalty. */
  public GenerationConfig withRepetitionPenalty(double value) {
    return new GenerationConfig(
        maxNewTokens, doSample, temperature, topK, topP, value, stopStrings, seed);
  }

  /** Returns the same with other stop strings. */
  public GenerationConfig withStopStrings(List<String> values) {
    return new GenerationConfig(
        maxNewTokens, doSample, temperature, topK, topP, repetitionPenalty, values, seed);
  }
}
