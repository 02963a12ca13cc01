package dev.panatune.quant;

import dev.panatune.error.ConfigurationException;
import dev.panatune.tensor.DType;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * How the weights of a model's linear layers are kept in 4 bits.
 *
 * @param type the number format of a code
 * @param blockSize elements that share a scale: 32, 64, 128, 256, 512, 1024, 2048 or 4096
 * @param doubleQuant whether the scales are quantised too, to 8 bits
 * @param computeDtype the type in which products with the weights are computed
 * @param skipModules the linear layers that stay as they are: paths, regular expressions from the
 *     start of a path, or ends of paths; empty for the output head alone
 */
public record QuantConfig(
    QuantType type,
    int blockSize,
    boolean doubleQuant,
    DType computeDtype,
    List<String> skipModules) {
  /** The block size that bitsandbytes takes where none is said. */
  public static final int DEFAULT_BLOCK_SIZE = 64;

  static final List<Integer> BLOCK_SIZES = List.of(32, 64, 128, 256, 512, 1024, 2048, 4096);

  private static final Set<DType> COMPUTE_DTYPES =
      Set.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16);

  private static final List<String> OUTPUT_HEADS = List.of("lm_head", "score");

  /**
   * Checks the values.
   *
   * @throws ConfigurationException if one is not supported
   */
  public QuantConfig {
    if (!BLOCK_SIZES.contains(blockSize)) {
      throw new ConfigurationException(
          "The block size of 4-bit weights is one of %s, not %d".formatted(BLOCK_SIZES, blockSize));
    }
    if (!COMPUTE_DTYPES.contains(computeDtype)) {
      throw new ConfigurationException(
          "Products with 4-bit weights are computed in float32, bfloat16 or float16, not in "
              + computeDtype.torchName());
    }
    skipModules = List.copyOf(skipModules);
    skipModules.forEach(QuantConfig::pattern);
  }

  /** Returns what QLoRA uses: NF4 with double quantisation, blocks of 64. */
  public static QuantConfig qlora(DType computeDtype) {
    return new QuantConfig(QuantType.NF4, DEFAULT_BLOCK_SIZE, true, computeDtype, List.of());
  }

  /**
   * Returns whether the linear layer at a path is to be quantised, by the rules of transformers: a
   * skip name protects a layer if it matches the path from its start up to a dot or the end, as a
   * regular expression, or if the path ends with it.
   */
  public boolean quantizes(String modulePath) {
    List<String> skipped = skipModules.isEmpty() ? OUTPUT_HEADS : skipModules;
    return skipped.stream()
        .noneMatch(
            skip -> modulePath.endsWith(skip) || pattern(skip).matcher(modulePath).lookingAt());
  }

  private static Pattern pattern(String skip) {
    try {
      return Pattern.compile("(?:" + skip + ")(?:(?<=\\.)|(?=\\.|$))");
    } catch (PatternSyntaxException e) {
      throw new ConfigurationException(
          "'%s' in llm_int8_skip_modules is not a module's name or a regular expression: %s"
              .formatted(skip, e.getDescription()),
          e);
    }
  }
}
